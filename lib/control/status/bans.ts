import { type IpAddress, parseIpAddress } from '../../base/ip-address.js';
import type { Firewall } from '../../firewall/firewall.js';
import type { BanChange, BanSubject } from '../../fleet/shared-bans.js';
import { OperationError } from './operations.js';
import type { BanList, BanStatus } from './status.js';

/** The most bans listed: one firewall may have 100,000. */
const MOST = 1000;

/** The bans of several firewalls, the longest ones first; `wallMs`: now, in ms since the epoch. */
export function listBans(firewalls: readonly Firewall[], wallMs: number): BanList {
  const bans: BanStatus[] = [];
  let total = 0;
  for (const firewall of firewalls) {
    const { name, mode } = firewall.config;
    for (const { client, leftMs } of firewall.bans()) {
      total++;
      if (bans.length === MOST) continue;
      bans.push({
        client,
        rule: name,
        until: Math.round(wallMs + leftMs),
        leftMs: Math.round(leftMs),
        observed: mode === 'observe',
      });
    }
  }
  return { total, bans: bans.sort((one, other) => other.leftMs - one.leftMs) };
}

/** The number of clients that a firewall has banned. */
export function countBans(firewall: Firewall): number {
  let count = 0;
  for (const _ of firewall.bans()) count++;
  return count;
}

/**
 * Ends the bans of a client in all firewalls; returns the names of these firewalls. `text`: an address, or a /64. Throws
 * an OperationError when `text` is neither, or is not banned.
 */
export function liftBan(firewalls: readonly Firewall[], text: string): readonly string[] {
  const { key } = readClient(text);
  const lifted = firewalls.filter((firewall) => firewall.lift(key)).map(({ name }) => name);
  if (lifted.length === 0) throw new OperationError('unknown_ban', `${key} is not banned`);
  return lifted;
}

/** The bans that are shared with other nodes: those that are in force, not those of firewalls that only observe. */
export function sharedBans(firewalls: () => readonly Firewall[]): BanSubject {
  return {
    *standing(): Generator<BanChange> {
      for (const firewall of firewalls()) {
        if (firewall.config.mode === 'observe') continue;
        for (const { client, leftMs } of firewall.bans())
          yield { client, firewall: firewall.name, forMs: leftMs };
      }
    },
    adopt(changes) {
      const byName = new Map(firewalls().map((firewall) => [firewall.name, firewall]));
      for (const { client, firewall, forMs } of changes) byName.get(firewall)?.adoptBan(client, forMs);
    },
  };
}

function readClient(text: string): IpAddress {
  const client = text === 'unix' ? null : parseIpAddress(text.replace(/\/64$/, ''));
  if (client !== null) return client;
  throw new OperationError(
    'bad_value',
    `expected an address such as 192.0.2.1 or 2001:db8::/64, got ${JSON.stringify(text)}`,
  );
}
