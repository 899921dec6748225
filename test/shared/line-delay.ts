import type { Test } from 'tap';
import type { ServerRow } from '../../lib/shared/server-row.js';
import { until } from '../support/loop-ticks.js';
import { seeded } from '../support/random.js';
import { CountingServer, type EngineThread, startThreads } from './pool-threads.js';

export const THREADS = 4;
const CONNECTIONS = 8;
/** Requests that wait at the beginning of a round. */
const IN_LINE = 24;

/** From the end of a request to the beginning of the one that it made room for, in ms. */
export interface LineDelay {
  /** The thread in which the next one began. */
  readonly thread: number;
  /** Was it another thread in which the one before had ended? */
  readonly hasCrossed: boolean;
  readonly ms: number;
}

/**
 * Measures how soon the line of a server moves that permits 8 connections, with 4 threads whose requests wait in any order: each time
 * one request ends, until the next one has its connection, which has to be opened where it was another thread's. The clock by which the
 * threads know who came first stands still in between, so that there is one right order. Rejects when another one was served.
 */
export async function measureLine(t: Test, rounds: number): Promise<readonly LineDelay[]> {
  const server = await CountingServer.start(t);
  server.delay = () => Number.POSITIVE_INFINITY;
  const time = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  const limits = { maxConnections: CONNECTIONS };
  const { threads, row } = await startThreads(t, THREADS, [server], { limits, time });
  const random = seeded(7);
  const one = (): EngineThread => threads[Math.floor(random() * THREADS)] as EngineThread;
  const delays: LineDelay[] = [];
  time[0] = 1000;
  for (let round = 0; round < rounds; round++)
    delays.push(...(await measureRound({ server, threads, row, time, one, round })));
  return delays;
}

interface Round {
  readonly server: CountingServer;
  readonly threads: readonly EngineThread[];
  readonly row: Pick<ServerRow, 'inLine'>;
  readonly time: Float64Array;
  /** Any of the threads. */
  readonly one: () => EngineThread;
  readonly round: number;
}

async function measureRound({
  server,
  threads,
  row,
  time,
  one,
  round,
}: Round): Promise<readonly LineDelay[]> {
  const first = server.paths.length;
  const ended = (): number => threads.reduce((sum, thread) => sum + thread.ended.length, 0);
  const before = ended();
  for (let asked = 1; asked <= CONNECTIONS; asked++) {
    one().tell({ what: 'ask', count: 1, path: `/${round}-first-${asked}-` });
    await until(() => server.held === asked);
  }
  const right: string[] = [];
  for (let place = 0; place < IN_LINE; place++) {
    one().tell({ what: 'ask', count: 1, path: `/${round}-${place}-` });
    right.push(`/${round}-${place}-0`);
    await until(() => row.inLine === right.length);
    // Each has waited half as long again as the next one, which is more than what is taken for the same time.
    time[0] = (time[0] as number) + 10 * 1.5 ** (IN_LINE - place);
  }
  for (let served = 1; served <= IN_LINE; served++) {
    server.answer();
    await until(() => server.paths.length === first + CONNECTIONS + served);
  }
  while (server.held > 0) server.answer();
  await until(() => ended() === before + CONNECTIONS + IN_LINE);
  const paths = server.paths.slice(first);
  if (paths.slice(CONNECTIONS).join() !== right.join()) throw new Error(`served were ${paths.join()}`);
  return delaysOf(paths, threads);
}

/** `paths`: in the order in which they reached the server, which answered them in the same order. */
function delaysOf(paths: readonly string[], threads: readonly EngineThread[]): readonly LineDelay[] {
  const ends = new Map(
    threads.flatMap(({ number, ended }) => ended.map((end) => [end.path, { ...end, number }] as const)),
  );
  return paths.slice(CONNECTIONS).map((path, index) => {
    const [next, last] = [ends.get(path), ends.get(paths[index] as string)];
    if (next === undefined || last === undefined) throw new Error(`${path} has not ended`);
    return {
      thread: next.number,
      hasCrossed: next.number !== last.number,
      ms: next.leasedAt - last.releasedAt,
    };
  });
}

/** Of some delays, in ms: so many, median, p99, most. */
export function figuresOf(delays: readonly LineDelay[]): Record<'count' | 'median' | 'p99' | 'most', number> {
  const sorted = delays.map(({ ms }) => ms).sort((one, other) => one - other);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p99: at(0.99), most: at(1) };
}
