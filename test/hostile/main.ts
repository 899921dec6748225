import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll, stopAll } from '../bench/child.js';
import { freePorts, machine, placement, settle } from '../bench/machine.js';
import { startOrigins } from '../bench/origin.js';
import { ATTACKS, type Attack } from './attacks.js';
import { Helper, stopHelpers } from './helper.js';
import { findPeer, PEERS, type Peer } from './peers.js';
import { resultOf } from './result.js';
import { costs, type Row, remarks, waitsHeading, waitsLine } from './table.js';
import { put, type Setting, type Trial } from './trial.js';

/**
 * What other clients wait for, and what it costs, while somebody attacks: lb, and others in the same run.
 * Exits with 1 when an attack can't be tried at all; bars that are missed are said, and nothing else.
 */
const USAGE = `usage: node dist/test/hostile/main.js [options]
  --attacks NAMES  default all: ${ATTACKS.map(({ name }) => name).join(', ')};
                   the beginning of a name is enough
  --peers NAMES    default ${PEERS.join(',')}; NAME=PATH/bin/lb.js is another build of lb
  --seconds N      that each is measured, default 4
  --rounds N       in which the peers take turns, default 2
`;

const { values } = parseArgs({
  options: {
    attacks: { type: 'string', default: '' },
    peers: { type: 'string', default: PEERS.join(',') },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '2' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function say(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`);
}

function chosen(): readonly Attack[] {
  const names = values.attacks.split(',');
  return ATTACKS.filter(({ name }) => names.some((wanted) => name.startsWith(wanted)));
}

function availablePeers(): readonly Peer[] {
  const found = values.peers.split(',').map(findPeer);
  for (const peer of found) if (typeof peer === 'string') say(peer);
  return found.filter((peer) => typeof peer !== 'string');
}

async function attackAll(attack: Attack, peers: readonly Peer[], setting: Setting): Promise<Row> {
  const trials = new Map<Peer, Trial[]>();
  for (const peer of peers) if (peer.isLb || !attack.onlyLb) trials.set(peer, []);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [peer, own] of trials) own.push(await put(peer, attack, setting));
  return {
    attack,
    results: [...trials].map(([peer, own]) => resultOf(peer.name, peer.isLb, own)),
  };
}

async function main(folder: string): Promise<void> {
  const attacks = chosen();
  const peers = availablePeers();
  const names = peers.map(({ name }) => name);
  say(`${machine()}\n${peers.map(({ name, version }) => `${name} ${version}`).join(', ')}\n`);
  const place = placement();
  settle(place);
  const { ports } = await startOrigins(folder);
  const [port = 0] = await freePorts(1);
  const chunks = new Helper('origin', [String(port)]);
  await chunks.hear();
  const setting = {
    place,
    origins: { ports, chunks: port },
    chunks,
    folder,
    seconds: Number(values.seconds),
  };
  const rows: Row[] = [];
  say(waitsHeading(names));
  for (const attack of attacks) {
    const row = await attackAll(attack, peers, setting);
    rows.push(row);
    say(waitsLine(row, names));
  }
  const cost = costs(rows, names);
  if (cost !== '') say(`\n${cost}`);
  const rest = remarks(rows);
  if (rest !== '') say(`\n${rest}`);
}

async function run(): Promise<number> {
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'lb-hostile-'));
  process.once('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().finally(() => process.exit(130)));
  try {
    await main(folder);
    return 0;
  } catch (error) {
    say(`hostile: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await end();
  }
}

async function end(): Promise<void> {
  await Promise.all([stopAll(), stopHelpers()]);
}

process.exitCode = await run();
