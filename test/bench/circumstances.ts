import type { Setting } from './comparison.js';
import { isolated } from './isolation.js';
import { machine, version } from './machine.js';
import type { Peer } from './peer.js';

const MARGIN = 10;
const COLUMNS = 100;

/** Where and how the figures came about: without it they mean nothing. */
export function circumstances(
  setting: Setting,
  peers: readonly Peer[],
  command: string,
): Record<string, string> {
  const { place, origins, seconds, rounds } = setting;
  const wrk = `wrk ${version('wrk') ?? 'missing'}`;
  return {
    machine: machine(),
    programs: [
      ...peers.map((peer) => `${peer.name} ${peer.version}`),
      `origins ${origins.program}`,
      wrk,
    ].join(', '),
    placed:
      place.core < 0
        ? 'not pinned (needs two processors and taskset): clients disturb the balancer'
        : `balancer alone on processor ${place.core}, clients and origins on ${place.load}`,
    network: isolated
      ? 'loopback of its own, without packet filter'
      : "the machine's own (no unshare here): packet filters cost all alike, and others connect too",
    method: `${rounds} rounds of ${seconds} s, peers in turn and back; CPU time of the balancer's processes; medians;`,
    ratio: 'round by round to nginx or HAProxy, whichever has the lower median, for everything to HAProxy',
    command,
  };
}

/** The same as lines of text. */
export function header(about: Readonly<Record<string, string>>): string {
  return Object.entries(about)
    .map(([name, text]) => wrapped(`${name}:`.padEnd(MARGIN), text))
    .join('\n');
}

/** Breaks a list at its commas, so that no line is longer than 100 columns. */
function wrapped(label: string, text: string): string {
  const lines = [label];
  for (const part of text.split(/(?<=,) /)) {
    const last = lines.at(-1) ?? '';
    const full = last.length > MARGIN && last.length + part.length >= COLUMNS;
    if (full) lines.push(`${' '.repeat(MARGIN)}${part}`);
    else lines[lines.length - 1] = last.length === MARGIN ? last + part : `${last} ${part}`;
  }
  return lines.join('\n');
}
