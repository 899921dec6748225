import { type IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';
import type { FirewallConfig } from '../../lib/config/types.js';

/** A firewall's configuration: nothing is refused but what `settings` say. */
export function firewallConfig(settings: Partial<FirewallConfig> = {}): FirewallConfig {
  return {
    name: 'firewall_rules',
    aliases: [],
    line: 1,
    mode: 'enforce',
    ipReject: [],
    ipAllow: null,
    maxConnectionsPerIp: 0,
    ban: null,
    methodReject: [],
    pathReject: [],
    headerReject: [],
    rateLimit: null,
    ...settings,
  };
}

/** An address that is surely one. */
export function ip(text: string): IpAddress {
  const address = parseIpAddress(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}
