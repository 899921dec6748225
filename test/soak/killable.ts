/**
 * A balancer in three threads, one of which ends whenever its parent says so: the child process of `threads.ts`.
 */
import { makeThrow, runningWorkers } from '../support/worker-threads.js';

const { createBalancer } = await import('../../lib/balancer.js');
const { createConfig } = await import('../../lib/config/config.js');

export const THREADS = 3;
/** Connections that a client may have open: all visitors are one client. */
export const PLACES = 200;
/** Connections that each server may have from all threads. */
export const SERVER_PLACES = 8;

/** To this process. */
export type KillableOrder = 'kill' | 'figures';

/** To its parent: once with `port`, and then after each order. */
export type KillableReport =
  | { readonly what: 'listening'; readonly port: number }
  | { readonly what: 'killed' }
  | ({ readonly what: 'figures' } & KillableFigures);

export interface KillableFigures {
  /** Bytes of objects in all threads. */
  readonly heaps: number;
  readonly clients: number;
  readonly inFlight: number;
  /** Of all servers: requests, those that wait for a connection, connections. */
  readonly active: number;
  readonly waiting: number;
  readonly open: number;
  readonly failures: number;
  readonly ejections: number;
  /** What was told of servers: down, ejected, and so on. */
  readonly stateChanges: readonly string[];
  readonly warnings: readonly string[];
  readonly running: number;
}

if (process.send !== undefined && process.argv[2] === 'killable') await run(process.argv.slice(3));

async function run(servers: readonly string[]): Promise<void> {
  const stateChanges: string[] = [];
  const warnings: string[] = [];
  const config = createConfig({
    listen: '127.0.0.1:0',
    servers: servers.map((address) => ({ address, max_connections: SERVER_PLACES })),
    algorithm: 'least_connections',
    health_check: { interval: '1s' },
    passive_health: { consecutive_failures: 1 },
    limits: { connections: 400, connections_per_ip: PLACES },
    pool: { idle_timeout: '1s' },
  });
  const observer = {
    event(event: { readonly what: string; readonly message?: string; readonly server?: string }): void {
      if (event.what === 'warning') warnings.push(event.message ?? '');
      if (['down', 'ejected', 'returned', 'spared'].includes(event.what))
        stateChanges.push(`${event.what} ${event.server}`);
    },
  };
  const balancer = createBalancer(config, observer, { workers: THREADS });
  await balancer.start();
  let kills = 0;

  function report(message: KillableReport): void {
    if (process.connected) process.send?.(message);
  }

  async function figures(): Promise<void> {
    await balancer.collectFigures();
    const { servers, clients, requests } = balancer.status();
    const sum = (of: (server: (typeof servers)[number]) => number): number =>
      servers.reduce((total, server) => total + of(server), 0);
    report({
      what: 'figures',
      heaps: await heaps(),
      clients,
      inFlight: requests.inFlight,
      active: sum(({ active }) => active),
      waiting: sum(({ waiting }) => waiting),
      open: sum(({ open }) => open),
      failures: sum(({ totals }) => totals.failures),
      ejections: sum(({ totals }) => totals.ejections),
      stateChanges,
      warnings,
      running: runningWorkers().length,
    });
  }

  process.on('message', (order: KillableOrder) => {
    if (order === 'figures') return void figures();
    const running = runningWorkers();
    const victim = running[kills % running.length];
    if (victim === undefined) return;
    victim.once('exit', () => report({ what: 'killed' }));
    if (kills++ % 2 === 0) makeThrow(victim);
    else void victim.terminate();
  });
  process.on('disconnect', () => process.exit());
  const [address] = balancer.addresses;
  report({ what: 'listening', port: address?.kind === 'tcp' ? address.port : 0 });
}

/** A thread of Node 22.16 and newer. */
interface Measurable {
  getHeapStatistics(): Promise<{ readonly used_heap_size: number }>;
}

/** Of this thread and of those that run. */
async function heaps(): Promise<number> {
  let bytes = process.memoryUsage().heapUsed;
  for (const worker of runningWorkers()) {
    try {
      bytes += (await (worker as unknown as Measurable).getHeapStatistics()).used_heap_size;
    } catch {
      // It has just ended.
    }
  }
  return bytes;
}
