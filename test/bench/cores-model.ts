// What the structures cost that threads share, measured, and what up to 16 cores would give by a model of it:
// node dist/test/bench/cores-model.js [--request-ns 48000]
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { IpAddress } from '../../lib/base/ip-address.js';
import type { KeyedHash } from '../../lib/shared/keyed-hash.js';
import { ACTIVE } from '../../lib/shared/server-row.js';
import { SharedMemory, type SharedMemoryHandle } from '../../lib/shared/shared-memory.js';
import { seeded } from '../support/random.js';
import { type HotLine, spreadOf, throughputOf } from './cores-throughput.js';

/** Decisions at a time: 5 to 50 µs, short against the turns in which a system runs threads. */
const BATCH = 200;
/** A batch that takes longer was interrupted: turns of threads last 3 ms and more. */
const INTERRUPTED_NS = 1_500_000;
/** For one thread, and as long again for each further one. */
const MEASURE_MS = 1500;
const SERVERS = 8;
const MOST = 1_000_000;
/** Other clients, which do nothing meanwhile. */
const CLIENTS = 2000;
/** Nobody is refused. */
const TERMS = { interval: 0.001, depth: 1000 };
/** Decided under a lock, for which a thread sleeps that has looked for a microsecond. */
const LOCKED = 'place of a client, and back';
/** So many decisions run before those that are counted: code becomes hot. */
const WARM = 200_000;

/** What is decided once for each request, where it is configured. */
type Decision = (i: number) => void;

/** The hash of one limit. */
const hashOf = ({ clients }: SharedMemory): KeyedHash => clients.scopes.hashFor('a limit', ['rules']);

/** What was read, so that reading is not left out. */
const read = { sum: 0 };

/** By name, what a thread does; `key`: of the client and the server it is about. */
function decisionsOf(shared: SharedMemory, key: number): Readonly<Record<string, Decision>> {
  const { clients, servers, successes } = shared;
  const hash = hashOf(shared);
  const client = IpAddress.v4(0x0a000000 + key);
  const rows = Array.from({ length: SERVERS }, (_, i) => servers.row(key * SERVERS + i));
  return {
    'rate limit': (i) => void clients.rates.take(hash.ofClient(client), TERMS, i),
    'ban looked up': (i) => void clients.bans.isBanned(hash.ofClient(client), i),
    [LOCKED]: () => {
      clients.places.enter(hash.ofClient(client), MOST);
      clients.places.leave(hash.ofClient(client));
    },
    'place among all connections, and back': () => {
      clients.connections.enter(MOST);
      clients.connections.leave();
    },
    'place at a server, and back': () => {
      rows[0]?.takePlace(MOST);
      rows[0]?.givePlace();
    },
    'request at a server, begun and ended': () => {
      const { memory, all, own } = rows[0] as (typeof rows)[number];
      Atomics.add(memory, all + ACTIVE, 1);
      memory[own + ACTIVE]!++;
      Atomics.sub(memory, all + ACTIVE, 1);
      memory[own + ACTIVE]!--;
    },
    'requests of 8 servers compared': () => {
      let least = MOST;
      for (const { active } of rows) if (active < least) least = active;
      read.sum += least;
    },
    'health of a server read': () => {
      read.sum += rows[0]?.flags ?? 0;
    },
    'success counted': () => successes.note(rows[0]?.slot ?? 0),
    nothing: () => {
      read.sum++;
    },
  };
}

interface Given {
  readonly handle: SharedMemoryHandle;
  readonly thread: number;
  readonly key: number;
  readonly name: string;
  readonly gate: SharedArrayBuffer;
  readonly threads: number;
}

/** The batches that count, of one thread. */
interface Measured {
  /** ns for a decision: the median. */
  readonly cost: number;
  readonly batches: number;
}

/**
 * On a busy machine threads run by turns, and would rarely meet. So decisions are measured in short batches, and with several
 * threads those count in which each other one has ended a batch of its own, and which were not interrupted: then all of them ran.
 */
function measureHere({ handle, thread, key, name, gate, threads }: Given): Measured {
  const decide = decisionsOf(SharedMemory.attach(handle, thread), key)[name] as Decision;
  for (let i = 0; i < WARM; i++) decide(i);
  const ended = new Int32Array(gate);
  const others = Array.from({ length: threads }, (_, i) => i + 1).filter((other) => other !== thread);
  const costs: number[] = [];
  const before = others.map(() => 0);
  const until = performance.now() + MEASURE_MS * threads;
  for (let i = WARM; performance.now() < until; ) {
    for (const [at, other] of others.entries()) before[at] = Atomics.load(ended, other);
    const from = process.hrtime.bigint();
    for (const end = i + BATCH; i < end; i++) decide(i);
    const took = Number(process.hrtime.bigint() - from);
    Atomics.add(ended, thread, 1);
    const allRan = others.every((other, at) => Atomics.load(ended, other) !== before[at]);
    if (allRan && took < INTERRUPTED_NS) costs.push(took / BATCH);
  }
  costs.sort((one, other) => one - other);
  return { cost: costs[costs.length >> 1] ?? Number.NaN, batches: costs.length };
}

/** The mean of so many threads at once, and the fewest batches of one. */
async function measure(name: string, threads: number, hasOwnKeys: boolean): Promise<Measured> {
  const shared = SharedMemory.create(threads + 1);
  for (let i = 0; i < (threads + 2) * SERVERS; i++) shared.servers.row(shared.servers.claim()).join();
  // Tables grow with their clients: with few of them two clients would share a lock.
  const hash = hashOf(shared);
  for (let i = 0; i < CLIENTS; i++) {
    const client = hash.ofClient(IpAddress.v4(0x0b000000 + i));
    shared.clients.places.enter(client, MOST);
    shared.clients.rates.take(client, TERMS, 0);
  }
  const gate = new SharedArrayBuffer(4 * (threads + 1));
  const workers = Array.from({ length: threads }, (_, i) => {
    const thread = i + 1;
    const key = hasOwnKeys ? thread : 1;
    const given: Given = { handle: shared.handle, thread, key, name, gate, threads };
    return new Worker(new URL(import.meta.url), { workerData: given });
  });
  const all = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<Measured>((resolve, reject) => {
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  await Promise.all(workers.map((worker) => worker.terminate()));
  return {
    cost: all.reduce((sum, { cost }) => sum + cost, 0) / threads,
    batches: Math.min(...all.map(({ batches }) => batches)),
  };
}

interface Costs {
  readonly one: number;
  readonly own: number;
  readonly same: number;
}

async function main(requestNs: number): Promise<void> {
  print(
    `Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}; medians of batches of ${BATCH}, ns for each\n`,
  );
  print(`${''.padEnd(40)}1 thread   2, own key   2, same key`);
  const names = Object.keys(decisionsOf(SharedMemory.create(2), 0));
  const raw = new Map<string, Costs>();
  let fewest = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const of = async (threads: number, own: boolean): Promise<number> => {
      const { cost, batches } = await measure(name, threads, own);
      fewest = Math.min(fewest, batches);
      return cost;
    };
    raw.set(name, { one: await of(1, true), own: await of(2, true), same: await of(2, false) });
  }
  const { one: loop } = raw.get('nothing') as Costs;
  const lines: HotLine[] = [];
  let transfer = 0;
  for (const [name, costs] of raw) {
    if (name === 'nothing') continue;
    const [one, own, same] = [costs.one, costs.own, costs.same].map((cost) => Math.max(0, cost - loop)) as [
      number,
      number,
      number,
    ];
    print(`${name.padEnd(40)}${column(one, 8)}${column(own, 13)}${column(same, 14)}`);
    // Two threads that do nothing else pay `same` ns each: the structure serves one of them in half of that, at worst one
    // after the other.
    const held = Math.max(same / 2, same - one);
    if (name !== LOCKED) transfer = Math.max(transfer, same - one);
    lines.push({ name, alone: one, held });
  }
  // Threads that do nothing but take a lock sleep for it, which says nothing of how long it is held.
  const modelled = lines.map((line) =>
    line.name === LOCKED ? { ...line, held: line.alone + transfer } : line,
  );
  print(`\nat least ${fewest} batches of each with two threads`);
  const sum = lines.reduce((total, { alone }) => total + alone, 0);
  print(
    `all of them: ${sum.toFixed(0)} ns of the ${requestNs} of a request, ${((100 * sum) / requestNs).toFixed(2)} %\n`,
  );
  printModel(modelled, requestNs);
}

function printModel(lines: readonly HotLine[], requestNs: number): void {
  print('modelled: requests a second, and how many times those of one core');
  print(
    'cores   own keys            one hot key         the same, 4 x slower   fullest of 1,000 connections',
  );
  const random = seeded(1);
  const first = throughputOf(1, requestNs, []);
  for (const cores of [1, 2, 4, 8, 12, 16]) {
    const free = throughputOf(cores, requestNs, []);
    const hot = throughputOf(cores, requestNs, lines);
    const slow = throughputOf(
      cores,
      requestNs,
      lines.map(({ held, ...line }) => ({ ...line, held: held * 4 })),
    );
    const spread = spreadOf(cores, 1000, random);
    const cell = (rate: number): string =>
      `${rate.toFixed(0).padStart(7)} ${(rate / first).toFixed(2).padStart(6)}`;
    print(
      `${String(cores).padStart(5)}  ${cell(free)}      ${cell(hot)}      ${cell(slow)}         ${spread.toFixed(2)} of the mean`,
    );
  }
}

function column(ns: number, width: number): string {
  return ns.toFixed(ns < 10 ? 1 : 0).padStart(width);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      'request-ns': { type: 'string', default: '48000' },
    },
  });
  await main(Number(values['request-ns']));
} else {
  parentPort?.postMessage(measureHere(workerData as Given));
}
