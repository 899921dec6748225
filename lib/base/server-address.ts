import { type Address, parseAddress } from './address.js';
import { ValueError } from './units.js';

/** Where a server is, and the scheme in front of it; null: none is written. */
export interface ServerPlace {
  readonly address: Address;
  readonly scheme: 'http' | 'https' | null;
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/**
 * Reads the address of a server, as `parseAddress` does; a port alone is one of localhost. `https://host` without a port is
 * port 443, `http://host` port 80. Throws a ValueError that says what to write instead.
 */
export function parseServerAddress(setting: string | number): ServerPlace {
  const written = String(setting).trim();
  const [, prefix = '', place = ''] = /^(https?):\/\/(.*)$/i.exec(written) ?? [];
  const scheme = prefix === '' ? null : (prefix.toLowerCase() as 'http' | 'https');
  if (scheme !== null && (place === '' || /[/?#@]/.test(place))) refuseRest(written, prefix, place);
  const text = scheme === null || hasPort(place) ? place || written : `${place}:${DEFAULT_PORTS[scheme]}`;
  const address = parseAddress(text, { defaultHost: 'localhost' });
  if (address.kind === 'tcp' && (address.host === '' || address.port === 0)) {
    throw new ValueError(
      `expected host:port, got ${JSON.stringify(setting)}`,
      'A server needs a host and a port of its own.',
    );
  }
  return { address, scheme };
}

function hasPort(place: string): boolean {
  return /:\d*$/.test(place.replace(/^\[.*\]/, ''));
}

function refuseRest(written: string, prefix: string, place: string): never {
  const [host = ''] = place.replace(/^[^/?#]*@/, '').split(/[/?#]/);
  const hint = host === '' ? '' : `Write ${prefix}://${host}, without a path or user.`;
  throw new ValueError(
    `expected a server such as https://10.0.0.5:8443, got ${JSON.stringify(written)}`,
    hint,
  );
}
