import type { Test } from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import type { BalancerEvent, CheckRecord, Observer, RequestRecord } from '../../lib/base/observer.js';
import { assertMoves } from '../../lib/base/states.js';
import { systemClock } from '../../lib/base/timer-wheel.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import type { TlsTerms } from '../../lib/net/tls-terms.js';
import type { SocketMode } from '../../lib/net/transport.js';
import { RawClient } from './client.js';
import { PATIENCE_MS, turns } from './loop-ticks.js';
import { ManualClock } from './manual-clock.js';
import { SWITCHED_CLOCKS, SWITCHED_WORKERS } from './thread-switch.js';
import { startStepped, ThreadedClock } from './threaded-clock.js';
import { noteSwitched, switchedTerms } from './tls-switch.js';

// In every test, a state that may not follow another throws.
assertMoves();

type Settings = Parameters<typeof createConfig>[0];

/** How often threads are asked for their figures where no time passes. */
const COLLECT_EVERY_MS = 20;

/** A copy of what an observer was told of a request: the record itself is used again. */
export type SeenRequest = { [K in keyof RequestRecord]: RequestRecord[K] };

/** Is it the line about documented sockets, because the whole run has them? */
export function isSwitchedNotice(message: string): boolean {
  return process.env.LB_SOCKETS === 'documented' && /^sockets: .*\(LB_SOCKETS\)$/.test(message);
}

/** What the observers of one balancer were told. */
export class Seen implements Observer {
  readonly requests: SeenRequest[] = [];
  readonly checks: CheckRecord[] = [];
  /** `down NAME reason`, `up NAME`, `ejected NAME ms reason`, `spared NAME reason`, `returned NAME`. */
  readonly stateChanges: string[] = [];
  /** `NAME ADDRESS...`, or `NAME failed CODE`. */
  readonly names: string[] = [];
  /** Servers whose line was full. */
  readonly full: string[] = [];
  readonly warnings: string[] = [];
  readonly #listeners: ((event: BalancerEvent) => void)[] = [];
  #wake: (() => void)[] = [];
  readonly readsServerHeads = true;

  requestSettled(record: RequestRecord): void {
    this.requests.push({
      requestId: record.requestId,
      startedAt: record.startedAt,
      durationMs: record.durationMs,
      firstByteMs: record.firstByteMs,
      clientAddress: record.clientAddress,
      method: record.method,
      target: record.target,
      protocol: record.protocol,
      host: record.host,
      route: record.route,
      userAgent: record.userAgent,
      referer: record.referer,
      traceId: record.traceId,
      spanId: record.spanId,
      trace: record.trace === null ? null : structuredClone(record.trace),
      status: record.status,
      server: record.server,
      attempts: record.attempts,
      tries: record.tries.map((attempt) => ({ ...attempt })),
      queueMs: record.queueMs,
      connectMs: record.connectMs,
      bytesIn: record.bytesIn,
      bytesOut: record.bytesOut,
      reason: record.reason,
      detail: record.detail,
      transport: record.transport,
      requestHeadText: record.requestHeadText,
      serverHeadText: record.serverHeadText,
      responseHeadText: record.responseHeadText,
    });
    this.#notify();
  }

  event(event: BalancerEvent): void {
    this.#keep(event);
    for (const listener of this.#listeners) listener(event);
    this.#notify();
  }

  /** Calls `listener` for every event from now on. */
  listen(listener: (event: BalancerEvent) => void): void {
    this.#listeners.push(listener);
  }

  #keep(event: BalancerEvent): void {
    switch (event.what) {
      case 'checked':
        this.checks.push({
          server: event.server,
          ok: event.ok,
          result: event.result,
          durationMs: event.durationMs,
        });
        break;
      case 'down':
      case 'spared':
        this.stateChanges.push(`${event.what} ${event.server} ${event.reason}`);
        break;
      case 'ejected':
        this.stateChanges.push(`ejected ${event.server} ${event.forMs} ${event.reason}`);
        break;
      case 'up':
      case 'returned':
        this.stateChanges.push(`${event.what} ${event.server}`);
        break;
      case 'resolved':
        this.names.push([event.host, ...event.addresses].join(' '));
        break;
      case 'resolve_failed':
        this.names.push(`${event.host} failed ${event.detail}`);
        break;
      case 'queue_full':
        this.full.push(event.server);
        break;
      case 'warning':
        if (!isSwitchedNotice(event.message)) this.warnings.push(event.message);
        break;
      case 'added':
      case 'availability':
      case 'banned':
      case 'certificate_expired':
      case 'certificate_expiring':
      case 'certificate_failed':
      case 'certificate_ordered':
      case 'certificate_refused':
      case 'certificates_reloaded':
      case 'closed':
      case 'discovered':
      case 'drained':
      case 'host_maintenance':
      case 'export_failed':
      case 'export_recovered':
      case 'listening':
      case 'reload_refused':
      case 'reloaded':
      case 'removed':
      case 'source_failed':
      case 'source_recovered':
      case 'shared_lost':
      case 'shared_recovered':
      case 'route_down':
      case 'route_up':
      case 'unbanned':
      case 'upgrade_failed':
      case 'upgraded':
      case 'weight':
    }
  }

  /** Resolves as soon as `condition` holds, looked at whenever something was told. Rejects after a minute. */
  async when(condition: (seen: Seen) => boolean): Promise<void> {
    let isLate = false;
    const limit = setTimeout(() => {
      isLate = true;
      this.#notify();
    }, 2 * PATIENCE_MS).unref();
    while (!condition(this)) {
      if (isLate) throw new Error(`not told within ${(2 * PATIENCE_MS) / 1000} s: ${condition}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    clearTimeout(limit);
  }

  /** The `count`-th settled request, from 1. */
  async request(count = 1): Promise<SeenRequest> {
    await this.when(() => this.requests.length >= count);
    return this.requests[count - 1] as SeenRequest;
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A balancer under test. */
export interface Started {
  readonly balancer: Balancer;
  readonly port: number;
  readonly seen: Seen;
  /** Time, when it was started with `manual: true`; advancing it is the only way a deadline passes. */
  readonly clock: ManualClock;
  connect(): Promise<RawClient>;
}

/** Waits until `condition` holds of the figures. With several threads those of each are collected, which takes a moment. */
export async function untilCollected(balancer: Balancer, condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    await balancer.collectFigures();
    await turns(1);
    if (performance.now() > end) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${condition}`);
  }
}

/** Threads report their figures by the clock, which stands still. */
function collectSteadily(t: Test, balancer: Balancer): void {
  const timer = setInterval(() => void balancer.collectFigures(), COLLECT_EVERY_MS).unref();
  t.teardown(() => clearInterval(timer));
}

/**
 * Starts a balancer on a free port of 127.0.0.1 and stops it after the test, together with the clients that
 * `connect` made. Health checks, active and passive, are off unless the settings turn them on.
 */
export async function startBalancer(
  t: Test,
  settings: Settings,
  options: {
    manual?: boolean;
    sockets?: SocketMode | undefined;
    tls?: TlsTerms;
    /** What the clock shows at the start, with `manual`. */
    wall?: number;
    /** The folder of the local authority. */
    authority?: string;
    /** Threads that serve clients; by default one, or as many as the switch says. */
    workers?: number;
    /** Why it has one thread in any case (`oneThread`). */
    reason?: string;
  } = {},
): Promise<Started> {
  const config = createConfig({
    listen: '127.0.0.1:0',
    health_check: false,
    passive_health: false,
    ...settings,
  });
  const seen = new Seen();
  const tls = options.tls ?? (await switchedTerms());
  const canSwitch = tls === null && (options.manual !== true || SWITCHED_CLOCKS);
  const workers = options.workers ?? (canSwitch ? SWITCHED_WORKERS : 1);
  const isStepped = workers > 1 && (options.workers === undefined || options.manual === true);
  const clock = isStepped ? new ThreadedClock(options.wall) : new ManualClock(options.wall);
  const time = options.manual === true ? clock : systemClock;
  const balancer = createBalancer(config, seen, {
    clock: time,
    workers,
    ...(options.sockets === undefined ? {} : { sockets: options.sockets }),
    ...(tls === null ? {} : { tlsTerms: () => tls }),
    ...(options.authority === undefined ? {} : { authority: options.authority }),
  });
  const begin = (): Promise<void> => balancer.start();
  await (isStepped ? startStepped(time instanceof ThreadedClock ? time : null, begin) : begin());
  if (time instanceof ThreadedClock) collectSteadily(t, balancer);
  const clients: RawClient[] = [];
  t.teardown(() => {
    for (const client of clients) client.destroy();
    balancer.stop();
  });
  const address = balancer.addresses[0];
  const port = address?.kind === 'tcp' ? address.port : 0;
  if (options.tls === undefined) noteSwitched(port);
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(port);
    clients.push(client);
    return client;
  };
  return { balancer, port, seen, clock, connect };
}
