import type { Scheme } from '../../base/transport-info.js';
import type { Config, ListenerConfig } from '../../config/types.js';

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

/** The listener to which requests over `scheme` come: the first that serves them, else the first that redirects. */
export function listenerFor({ listen }: Config, scheme: Scheme): ListenerConfig | undefined {
  const fitting = listen.filter(
    ({ address, tls }) => address.kind === 'tcp' && (tls !== null) === (scheme === 'https'),
  );
  return fitting.find(({ redirect }) => redirect === null) ?? fitting[0];
}

/** The scheme of a request that names none: that of a listener which serves it. */
export function listenerScheme(config: Config): Scheme {
  const plain = listenerFor(config, 'http');
  const servesPlain = plain !== undefined && plain.redirect === null;
  return servesPlain || listenerFor(config, 'https') === undefined ? 'http' : 'https';
}

/** What a request for a mere path asks for, as curl on this machine would. */
export function listenerHost(config: Config, scheme: Scheme): string {
  const address = listenerFor(config, scheme)?.address;
  const usual = scheme === 'https' ? 443 : 80;
  return address?.kind === 'tcp' && address.port !== usual ? `localhost:${address.port}` : 'localhost';
}
