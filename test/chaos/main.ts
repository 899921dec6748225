import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Child, killAll, stopAll } from '../bench/child.js';
import { freePorts, machine } from '../bench/machine.js';
import { untilReady } from '../bench/reply.js';
import { FAULTS, type Spell, spell } from './faults.js';
import { Origin } from './origins.js';
import { findPeer, PEERS, type Peer } from './peers.js';
import { Traffic } from './traffic.js';
import { judge, type Verdict } from './verdict.js';

/**
 * Steady traffic over three servers of which one is killed, hangs, resets, is restarted, and all of them in turn:
 * what clients notice, with lb and with others.
 * `node dist/test/chaos/main.js [--seconds 60] [--peers lb,nginx,haproxy] [--clients 16]`
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    peers: { type: 'string', default: PEERS.join(',') },
    clients: { type: 'string', default: '16' },
  },
});
const PARTS = FAULTS.length + 1;
const PART_MS = (Number(values.seconds) * 1000) / PARTS;
const ORIGINS = 3;

const origins = new Set<Origin>();

async function putThrough(peer: Peer, folder: string): Promise<readonly Verdict[]> {
  const own = join(folder, peer.name);
  mkdirSync(own);
  const [port = 0, ...ports] = await freePorts(1 + ORIGINS);
  const servers = ports.map((origin, index) => new Origin(origin, own, index));
  for (const server of servers) origins.add(server);
  await Promise.all(servers.map((server) => server.start()));
  const child = new Child(peer.name, peer.command(port, ports, own));
  try {
    await untilReady(child, port);
    const verdicts: Verdict[] = [];
    for (const [index, fault] of FAULTS.entries())
      verdicts.push(
        await part(fault.name, peer, port, servers, async () => [
          await spell(fault, servers[index % ORIGINS] as Origin, PART_MS),
        ]),
      );
    const turns = FAULTS.length;
    verdicts.push(
      await part('in turn', peer, port, servers, async () => {
        const spells: Spell[] = [];
        for (const [index, fault] of FAULTS.entries())
          spells.push(await spell(fault, servers[index % ORIGINS] as Origin, PART_MS / turns));
        return spells;
      }),
    );
    if (!child.running) throw new Error(`${peer.name} ended: ${child.complaint}`);
    return verdicts;
  } finally {
    await child.stop();
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
  }
}

async function part(
  name: string,
  peer: Peer,
  port: number,
  servers: readonly Origin[],
  faults: () => Promise<readonly Spell[]>,
): Promise<Verdict> {
  const traffic = new Traffic(port, `${peer.name}-${name.replace(' ', '-')}`, Number(values.clients));
  const spells = await faults();
  await traffic.stop();
  return judge(
    name,
    traffic.visits,
    spells,
    servers.flatMap((server) => server.hits()),
  );
}

const COLUMNS: readonly (readonly [heading: string, width: number, cell: (verdict: Verdict) => string])[] = [
  ['GETs', 8, ({ gets }) => String(gets)],
  ['failed', 8, ({ failedGets }) => String(failedGets)],
  ['POSTs', 8, ({ posts }) => String(posts)],
  ['failed', 8, ({ failedPosts }) => String(failedPosts)],
  ['twice', 7, ({ twice }) => String(twice)],
  ['felt ms', 9, ({ felt }) => String(felt)],
  ['served ms', 11, ({ served }) => String(served)],
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
    const peer = findPeer(name);
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
