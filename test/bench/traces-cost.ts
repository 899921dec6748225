/**
 * What tracing costs: processor time per request (user and system, all threads) of a balancer without tracing, and of the
 * same with 1 % and with all traces recorded and sent, in turn under the first row's load. Needs wrk.
 *
 *     node dist/test/bench/traces-cost.js          five rounds of four seconds each: under three minutes
 *     PAIRS=15 SECONDS=8 node dist/test/bench/traces-cost.js
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopAll } from './child.js';
import { machine, type Placement, placement, settle } from './machine.js';
import { startOrigins } from './origin.js';
import { quantile } from './outcome.js';
import { findPeer, type Peer, type RunningPeer, startPeer } from './peer.js';
import { type RequestLoad, ROWS } from './row.js';
import { workTrial } from './trial.js';

const PAIRS = Number(process.env.PAIRS ?? 5);
const SECONDS = Number(process.env.SECONDS ?? 4);
/** Requests before anything is counted: code is compiled after so many calls, and a busy machine answers few in a second. */
const WARM_REQUESTS = 60_000;
/** The longest time for them. */
const MOST_WARM_SECONDS = 30;
/** So often it is looked whether there were enough. */
const WARM_STEP_SECONDS = 3;

/** A share of traces that is recorded, and how many times the cost without tracing it may cost. */
interface Variant {
  readonly sample: string;
  readonly most: number;
}

const VARIANTS: readonly Variant[] = [
  { sample: '1%', most: 1.02 },
  { sample: '100%', most: 1.15 },
];

/** The name of the first argument in the process that collects. */
const COLLECTS = 'collects';

if (process.argv[2] === COLLECTS) collect();
else await measure();

/** What a collector has taken: requests, and bytes. */
interface Taken {
  readonly requests: number;
  readonly bytes: number;
}

/** Takes all payloads, tells its port first, and what it has taken when it is sent anything. Ends with its parent. */
function collect(): void {
  let requests = 0;
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    request.on('end', () => {
      requests++;
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
  process.on('message', () => process.send?.({ requests, bytes } satisfies Taken));
  process.on('disconnect', () => process.exit());
}

/** The next message of a child process. */
function told<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the collector ended with code ${code}`)));
  });
}

async function measure(): Promise<void> {
  const place = placement();
  settle(place);
  const folder = mkdtempSync(join(tmpdir(), 'lb-traces-cost-'));
  const collector = fork(fileURLToPath(import.meta.url), [COLLECTS]);
  try {
    const port = await told<number>(collector);
    const origins = await startOrigins(folder);
    const start = (name: string, options: readonly string[]): Promise<RunningPeer> =>
      startPeer(ownPeer(name, options), place, origins, folder);
    const startWith = (name: string, settings: string): Promise<RunningPeer> => {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, settings);
      return start(name, ['-c', file]);
    };
    // It has a file too, so that nothing but the tracing differs.
    const plain = await startWith('without', 'access_log: off\n');
    const traced: RunningPeer[] = [];
    for (const { sample } of VARIANTS)
      traced.push(
        await startWith(
          sample,
          `access_log: off\ntracing: { otlp: "http://127.0.0.1:${port}", sample: ${sample} }\n`,
        ),
      );
    process.stdout.write(
      `${machine()}, Node ${process.versions.node}, ${PAIRS} rounds of ${SECONDS} s each\n`,
    );
    const ratios = await compare(plain, traced, place, folder);
    // What waits is sent within the interval.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    collector.send('tell');
    const { requests, bytes } = await told<Taken>(collector);
    process.stdout.write(`the collector took ${requests} requests with ${Math.round(bytes / 1e6)} MB\n`);
    if (requests === 0) process.exitCode = 1;
    for (const [index, variant] of VARIANTS.entries()) judge(variant, ratios[index] as number[]);
  } finally {
    collector.kill();
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** This build of lb with further options. */
function ownPeer(name: string, options: readonly string[]): Peer {
  const launcher = fileURLToPath(new URL('../../../bin/lb.js', import.meta.url));
  const peer = findPeer(`${name}=${launcher}`, { nodeOptions: [], options });
  if (typeof peer === 'string') throw new Error(peer);
  return peer;
}

/** For each traced balancer its costs over those of `plain` in the same round. */
async function compare(
  plain: RunningPeer,
  traced: readonly RunningPeer[],
  { core }: Placement,
  folder: string,
): Promise<readonly (readonly number[])[]> {
  const load = ROWS[0]?.load as RequestLoad;
  const peers = [plain, ...traced];
  for (const peer of peers) {
    let requests = 0;
    for (let s = 0; s < MOST_WARM_SECONDS && requests < WARM_REQUESTS; s += WARM_STEP_SECONDS) {
      const { work } = await workTrial(load, peer, core, WARM_STEP_SECONDS, folder);
      requests += (work?.perSecond ?? 0) * WARM_STEP_SECONDS;
    }
    if (requests < WARM_REQUESTS)
      process.stdout.write(
        `${peer.name} is not warm after ${Math.round(requests)} requests: the machine is busy\n`,
      );
  }
  const ratios: number[][] = traced.map(() => []);
  for (let round = 0; round < PAIRS; round++) {
    const costs = new Map<RunningPeer, number>();
    // Every other round backwards: what grows or falls with time hits all alike.
    for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
      const { cost, remark } = await workTrial(load, peer, core, SECONDS, folder);
      if (remark !== '') throw new Error(`${peer.name}: ${remark}`);
      costs.set(peer, cost);
    }
    const base = costs.get(plain) as number;
    for (const [index, peer] of traced.entries()) ratios[index]?.push((costs.get(peer) as number) / base);
    const shown = peers.map((peer) => `${peer.name} ${(costs.get(peer) as number).toFixed(1)} us`);
    process.stdout.write(`${shown.join(', ')} a request\n`);
  }
  return ratios;
}

function judge({ sample, most }: Variant, ratios: readonly number[]): void {
  const median = quantile(ratios, 0.5);
  const [least, greatest] = [Math.min(...ratios), Math.max(...ratios)];
  const isGood = median <= most;
  process.stdout.write(
    `${sample} of the traces: ${median.toFixed(3)} (${least.toFixed(3)} to ${greatest.toFixed(3)}) of the cost without, ` +
      `${isGood ? 'within' : 'ABOVE'} ${most}\n`,
  );
  if (!isGood) process.exitCode = 1;
}
