import type { DiscoveredServer } from './contract.js';

/** The server at one address of a name. */
export function addressOf(
  address: string,
  port: number,
  host: string,
  terms: Partial<Pick<DiscoveredServer, 'weight' | 'backup' | 'origin'>> = {},
): DiscoveredServer {
  const text = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const { weight = null, backup = null, origin = '' } = terms;
  return { address: text, name: null, weight, backup, maxConnections: null, host, origin };
}
