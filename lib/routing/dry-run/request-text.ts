import type { Config } from '../../config/types.js';

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

/** What a request for a mere path asks for, as curl on this machine would. */
export function listenerHost({ listen }: Config): string {
  for (const { address } of listen) {
    if (address.kind === 'tcp') return address.port === 80 ? 'localhost' : `localhost:${address.port}`;
  }
  return 'localhost';
}
