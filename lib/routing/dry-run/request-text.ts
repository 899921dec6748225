import type { Config } from '../../config/types.js';

/** The parts of a request, as written. */
export interface RequestParts {
  readonly method: string;
  /** The target in the request line. */
  readonly target: string;
  readonly host: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** The bytes of a request head. A `Host` among the headers replaces `host`. */
export function requestBytes({ method, target, host, headers }: RequestParts): Buffer {
  const own = headers.some(({ name }) => name.toLowerCase() === 'host')
    ? []
    : [{ name: 'Host', value: host }];
  const lines = [...own, ...headers].map(({ name, value }) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
}

/** The host of a request whose URL is a mere path: what curl on this machine would send. */
export function listenerHost({ listen }: Config): string {
  for (const { address } of listen) {
    if (address.kind === 'tcp') return address.port === 80 ? 'localhost' : `localhost:${address.port}`;
  }
  return 'localhost';
}
