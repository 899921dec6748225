import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Child, killAll, stopAll } from '../bench/child.js';
import { freePorts, machine } from '../bench/machine.js';
import { untilReady } from '../bench/reply.js';
import { FAULTS, type Fault, type Spell, spell } from './faults.js';
import { Origin } from './origins.js';
import { findPeer, PEERS, type Peer } from './peers.js';
import { Traffic } from './traffic.js';
import { judge, type Verdict } from './verdict.js';

/**
 * Steady traffic over three servers of which one is killed, hangs, resets, is restarted, and all of them in turn:
 * what clients notice, with lb and with others.
 * `node dist/test/chaos/main.js [--seconds 60] [--peers lb,nginx,haproxy] [--clients 16] [--workers 1]`; `--workers`: threads
 * of lb that serve clients.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    peers: { type: 'string', default: PEERS.join(',') },
    clients: { type: 'string', default: '16' },
    workers: { type: 'string', default: '1' },
  },
});
const ORIGINS = 3;

const origins = new Set<Origin>();

/** Who meets a fault, one after the other, and how long each has. */
interface Part {
  readonly name: string;
  readonly faults: readonly Fault[];
}

const PARTS: readonly Part[] = [
  ...FAULTS.map((fault) => ({ name: fault.name, faults: [fault] })),
  { name: 'in turn', faults: FAULTS },
];
const PART_MS = (Number(values.seconds) * 1000) / PARTS.length;

/** Each part before a balancer that knows nothing of the one before: who is left out for a while would still be. */
async function putThrough(peer: Peer, folder: string): Promise<readonly Verdict[]> {
  const own = join(folder, peer.name);
  mkdirSync(own);
  const [port = 0, ...ports] = await freePorts(1 + ORIGINS);
  const servers = ports.map((origin, index) => new Origin(origin, own, index));
  for (const server of servers) origins.add(server);
  try {
    await Promise.all(servers.map((server) => server.start()));
    const verdicts: Verdict[] = [];
    for (const part of PARTS) {
      const child = new Child(peer.name, peer.command(port, ports, own));
      await untilReady(child, port);
      verdicts.push(await play(part, peer, port, servers));
      if (!child.running) throw new Error(`${peer.name} ended: ${child.complaint}`);
      await child.stop();
    }
    return verdicts;
  } finally {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
  }
}

async function play(part: Part, peer: Peer, port: number, servers: readonly Origin[]): Promise<Verdict> {
  const { name, faults } = part;
  const traffic = new Traffic(port, `${peer.name}-${name.replace(' ', '-')}`, Number(values.clients));
  const spells: Spell[] = [];
  for (const [index, fault] of faults.entries())
    spells.push(await spell(fault, servers[index % ORIGINS] as Origin, PART_MS / faults.length));
  await traffic.stop();
  const hits = servers.flatMap((server) => server.hits());
  return judge(name, traffic.visits, spells, hits);
}

const COLUMNS: readonly (readonly [heading: string, width: number, cell: (verdict: Verdict) => string])[] = [
  ['GETs', 8, ({ gets }) => String(gets)],
  ['failed', 8, ({ failedGets }) => String(failedGets)],
  ['POSTs', 8, ({ posts }) => String(posts)],
  ['failed', 8, ({ failedPosts }) => String(failedPosts)],
  ['twice', 7, ({ twice }) => String(twice)],
  ['felt ms', 9, ({ felt }) => String(felt)],
  ['served ms', 11, ({ served }) => (served === null ? '-' : String(served))],
  ['slowest ms', 12, ({ slowest }) => String(slowest)],
];

function table(peer: Peer, verdicts: readonly Verdict[]): string {
  const lines = [
    `${peer.name} ${peer.version}`,
    `  ${''.padEnd(11)}${COLUMNS.map(([heading, width]) => heading.padStart(width)).join('')}`,
    ...verdicts.map(
      (verdict) =>
        `  ${verdict.part.padEnd(11)}${COLUMNS.map(([, width, cell]) => cell(verdict).padStart(width)).join('')}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lb-chaos-'));
  process.once('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  process.stdout.write(`${machine()}\n`);
  for (const { name, what } of FAULTS) process.stdout.write(`${name}: ${what}\n`);
  process.stdout.write(
    'felt: until no request fails or takes 300 ms; served: until the bad server gets its last request\n',
  );
  for (const name of values.peers.split(',')) {
    const peer = findPeer(name, Number(values.workers));
    process.stdout.write(
      typeof peer === 'string' ? `${peer}\n` : `\n${table(peer, await putThrough(peer, folder))}`,
    );
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void Promise.all([stopAll(), ...[...origins].map((origin) => origin.end('SIGKILL'))]).finally(() =>
      process.exit(130),
    );
  });
await main();
