import { isIPv4, isIPv6 } from 'node:net';
import { ValueError } from './units.js';

/**
 * Where a listener binds or a server is reached. `text` is the address as people write it and as logs show it. An empty
 * `host` is every interface, IPv6 and IPv4: the behaviour of Node without a host.
 */
export type Address =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly text: string;
      /** For one address of a host name: the name, and the name with the port. */
      readonly name?: string;
      readonly authority?: string;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly text: string };

export interface AddressOptions {
  /** The host of a bare port: empty for a listener (every interface), `localhost` for a server. */
  readonly defaultHost: string;
}

/** sockaddr_un holds 104 bytes on macOS and 108 on Linux, a closing NUL included; longer paths are cut silently. */
const LONGEST_SOCKET_PATH = 103;

/**
 * Reads `8080`, `host:8080`, `:8080`, `*:8080`, `192.0.2.1:8080`, `[2001:db8::1]:8080` or `unix:/path`. Port 0 is
 * accepted (a listener then takes a free port). Throws a ValueError that says what to write instead.
 */
export function parseAddress(value: string | number, { defaultHost }: AddressOptions): Address {
  const text = String(value).trim();
  if (text.startsWith('unix:')) return unixAddress(text);
  if (/^-?\d+(\.\d+)?$/.test(text)) return tcpAddress(defaultHost, parsePort(text, text), defaultHost);
  refuseUrl(text, defaultHost);
  const { host, port } = splitHostPort(text);
  if (host === '*' || host === '')
    return tcpAddress(host === '*' ? '' : defaultHost, parsePort(port, text), defaultHost);
  return tcpAddress(checkHost(host, text), parsePort(port, text), defaultHost);
}

/** The same text for every spelling of one address; it identifies a server. */
export function addressKey(address: Address): string {
  return address.kind === 'unix'
    ? `unix:${address.path}`
    : hostPort(address.host.toLowerCase(), address.port);
}

function tcpAddress(host: string, port: number, defaultHost: string): Address {
  const text = host === '' && defaultHost === '' ? String(port) : hostPort(host, port);
  return { kind: 'tcp', host, port, text };
}

/** The same address as one of those that a host name has. */
export function namedAddress(address: Address, name: string): Address {
  if (address.kind === 'unix') return address;
  return { ...address, name, authority: hostPort(name, address.port) };
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function unixAddress(text: string): Address {
  const path = text.slice('unix:'.length);
  if (path === '' || path.includes('\0'))
    throw unexpected(text, 'Write the path of the socket: unix:/run/app.sock.');
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    throw new ValueError(
      `the path of a Unix socket may have ${LONGEST_SOCKET_PATH} bytes`,
      'Use a shorter path.',
    );
  }
  return { kind: 'unix', path, text };
}

function refuseUrl(text: string, defaultHost: string): void {
  const [prefix, scheme = ''] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (prefix !== undefined) throw unexpected(text, adviseOnScheme(prefix, scheme, defaultHost));
  const [authority = ''] = text.split('/', 1);
  if (authority !== text)
    throw unexpected(text, `Write ${authority === '' ? 'host:port' : authority} without a path.`);
}

/** Without TLS it would be another port, and mostly another server: dropping the scheme alone would be wrong. */
function adviseOnScheme(prefix: string, scheme: string, defaultHost: string): string {
  const isSecure = /^(https|wss)$/i.test(scheme);
  if (isSecure && defaultHost === '') return 'Write { address: host:port, tls: true }.';
  if (isSecure && !/^https$/i.test(scheme)) return `Write https:// in place of ${prefix}.`;
  return `Write host:port without a scheme: drop ${prefix}.`;
}

function splitHostPort(text: string): { host: string; port: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) {
    const [, host = '', port] = bracketed;
    if (!isIPv6(host)) throw unexpected(text, `"${host}" is not an IPv6 address.`);
    if (port === undefined) throw unexpected(text, `Add the port: ${text}:8080.`);
    return { host, port };
  }
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, Math.max(0, colon));
  const port = text.slice(colon + 1);
  if (isIPv6(host)) throw unexpected(text, `Put an IPv6 address in brackets: [${host}]:${port}.`);
  if (isIPv6(text)) throw unexpected(text, `Put an IPv6 address in brackets and add a port: [${text}]:8080.`);
  if (colon === -1) throw unexpected(text, text === '' ? '' : `Add the port: ${text}:8080.`);
  return { host, port };
}

function checkHost(host: string, text: string): string {
  if (isIPv6(host) || isIPv4(host)) return host;
  if (/^[\d.]+$/.test(host)) throw unexpected(text, `"${host}" is not an IPv4 address.`);
  // RFC 952 does not allow underscores in host names, but compose gives services such names.
  if (
    !/^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(host)
  ) {
    throw unexpected(text, `"${host}" is not a host name.`);
  }
  return host;
}

function parsePort(port: string, text: string): number {
  if (port === '') throw unexpected(text, 'Add the port after the colon.');
  const number = /^\d+$/.test(port) ? Number(port) : Number.NaN;
  if (!(number <= 65535)) throw unexpected(text, 'A port is a number from 1 to 65535.');
  return number;
}

function unexpected(text: string, hint: string): ValueError {
  return new ValueError(`expected host:port, got ${JSON.stringify(text)}`, hint);
}
