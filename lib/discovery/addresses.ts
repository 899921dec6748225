import type { DiscoveredServer } from './contract.js';

/** The server at one address of a name. */
export function addressOf(
  address: string,
  port: number,
  host: string,
  terms: Partial<Pick<DiscoveredServer, 'weight' | 'backup' | 'origin'>> = {},
): DiscoveredServer {
  const { weight = null, backup = null, origin = '' } = terms;
  return {
    address: addressText(address, port),
    name: null,
    weight,
    backup,
    maxConnections: null,
    host,
    origin,
  };
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`. */
export function addressText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
