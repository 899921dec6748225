import { parentPort, workerData } from 'node:worker_threads';
import { parseAddress } from '../../lib/base/address.js';
import { ObjectPool } from '../../lib/base/collections.js';
import type { Failure } from '../../lib/base/failure.js';
import { type Clock, systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import { DEFAULT_POOL } from '../../lib/config/pool.js';
import type { BodyForm } from '../../lib/http/flow.js';
import { ResponseParser } from '../../lib/http/response-parser.js';
import { Resolver } from '../../lib/net/resolver.js';
import { ShortageAlarm } from '../../lib/net/shortage.js';
import { SocketChoice } from '../../lib/net/socket-choice.js';
import type { Lease, LeaseListener, PoolLimits, ResponseListener } from '../../lib/servers/contracts.js';
import { Pool } from '../../lib/servers/pool.js';
import { NO_KEY } from '../../lib/servers/scheduler/scheduler.js';
import { algorithmOf } from '../../lib/servers/schedulers.js';
import { Server } from '../../lib/servers/server.js';
import { LoadLog } from '../../lib/servers/server-counters.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { SharedMemory, type SharedMemoryHandle } from '../../lib/shared/shared-memory.js';

/** What an engine's thread is started with: its servers, in one group. */
export interface PoolThread {
  readonly handle: SharedMemoryHandle;
  readonly thread: number;
  readonly servers: readonly { readonly address: string; readonly slot: number }[];
  readonly limits: Partial<PoolLimits>;
  readonly algorithm: 'round_robin' | 'least_connections' | 'power_of_two' | 'first';
  /** What the clock of all threads shows, in ms, in shared memory: no timer fires. null: it is a clock that goes. */
  readonly time: Float64Array | null;
}

/** From the test: begin so many requests now, or keep so many in flight until told otherwise. */
export type PoolOrder =
  | { readonly what: 'ask'; readonly count: number; readonly path: string }
  | { readonly what: 'keep'; readonly count: number }
  | { readonly what: 'half-open'; readonly server: number; readonly on: boolean };

/** To the test. */
export type PoolReport =
  | { readonly what: 'ready' }
  | {
      readonly what: 'ended';
      readonly path: string;
      readonly failure: string;
      readonly waited: number;
      /** When it had a connection, and when it released it, in ms of the machine's clock, which all threads have. */
      readonly leasedAt: number;
      readonly releasedAt: number;
    };

const { handle, thread, servers, limits, algorithm, time } = workerData as PoolThread;

/** In ms: the same in every thread of a process. */
const machineTime = (): number => Number(process.hrtime.bigint()) / 1e6;
const clock: Clock =
  time === null
    ? { ...systemClock, now: machineTime }
    : { now: () => time[0] as number, wall: () => time[0] as number, every: () => () => {} };
const wheel = new TimerWheel(clock);
const shared = SharedMemory.attach(handle, thread);
const resolver = new Resolver({ servers: [], minTtl: 1000, maxTtl: 300_000 }, wheel, {});
const parsers = new ObjectPool(
  8,
  () => new ResponseParser({ headBytes: 32_768, fields: 100, targetBytes: 8192 }),
);
const shortages = new ShortageAlarm(wheel, {});
const deps = { wheel, parsers, observer: {}, resolver, shortages, sockets: new SocketChoice(), shared };
const log = new LoadLog();
const all = servers.map(({ address, slot }) => {
  const terms = { ...DEFAULT_POOL, connectTimeout: 3000, sendProxy: null, ...limits };
  const at = parseAddress(address, { defaultHost: '127.0.0.1' });
  return new Server(
    address,
    new Pool(at, terms, deps, address, null, slot),
    wheel,
    { weight: 1, backup: false, slowStart: 0 },
    log,
  );
});
const random = (): number => Math.floor(Math.random() * 2 ** 31);
const group = new ServerGroup(
  all,
  algorithmOf(
    { name: algorithm, on: { kind: 'path', name: '' }, fallback: 'round_robin', balanceFactor: 0 },
    { random, clock },
  ),
);

let kept = 0;
let inFlight = 0;

/** One request, like an attempt of an exchange. */
class Request implements LeaseListener, ResponseListener {
  readonly isPipelinable = true;
  readonly client = null;
  readonly droppedTrailers = null;
  readonly #path: string;
  readonly #server: Server;
  readonly #trial: number;
  readonly #beganAt = clock.now();
  #waited = 0;
  #leasedAt = 0;
  #releasedAt = 0;
  #lease: Lease | null = null;

  constructor(path: string) {
    inFlight++;
    this.#path = path;
    this.#server = group.pick(NO_KEY, []) as Server;
    this.#trial = this.#server.begin();
    const lease = this.#server.pool.lease(this);
    if (lease !== null) this.onLease(lease);
  }

  onLease(lease: Lease): void {
    this.#waited = clock.now() - this.#beganAt;
    this.#leasedAt = machineTime();
    this.#lease = lease;
    lease.assign(this, false);
    lease.channel.writeText(`GET ${this.#path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  onLeaseFailed({ reason }: Failure): void {
    this.#end(reason);
  }

  onResponseHead(): BodyForm {
    return 'wire';
  }

  onResponseEnd(): void {
    this.#releasedAt = machineTime();
    this.#lease?.release();
    this.#end('');
  }

  onFailed({ reason }: Failure): void {
    this.#end(reason);
  }

  #end(failure: string): void {
    this.#server.end(this.#trial);
    inFlight--;
    const [path, waited, leasedAt, releasedAt] = [this.#path, this.#waited, this.#leasedAt, this.#releasedAt];
    report({ what: 'ended', path, failure, waited, leasedAt, releasedAt });
    setImmediate(refill);
  }

  onInterim(): void {}
  onBodyBytes(): void {}
  onTrailers(): void {}
  onSwitch(): boolean {
    return false;
  }
  onTunnelBytes(): void {}
  onTunnelEnd(): void {}
  onServerBlocked(): void {}
  onServerDrain(): void {}
}

function report(message: PoolReport): void {
  parentPort?.postMessage(message);
}

function refill(): void {
  while (inFlight < kept) new Request('/kept');
}

parentPort?.on('message', (order: PoolOrder) => {
  if (order.what === 'half-open') {
    all[order.server]?.beginHalfOpen(order.on);
  } else if (order.what === 'ask') {
    for (let i = 0; i < order.count; i++) new Request(`${order.path}${i}`);
  } else {
    kept = order.count;
    refill();
  }
});
report({ what: 'ready' });
