/** A request in its parts, all as they are written. */
export interface RequestParts {
  readonly method: string;
  /** What stands in the request line. */
  readonly target: string;
  readonly host: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** The bytes of a request head. A `Host` among the headers stands in place of `host`. */
export function requestBytes({ method, target, host, headers }: RequestParts): Buffer {
  const own = headers.some(({ name }) => name.toLowerCase() === 'host')
    ? []
    : [{ name: 'Host', value: host }];
  const lines = [...own, ...headers].map(({ name, value }) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
}
