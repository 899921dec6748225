import type { BalancerEvent } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';

/**
 * Who tells observers of an event. engine: the thread in which it happens. control: the main thread, which decides it or
 * has the same servers and routes: a thread that notices it too says nothing.
 */
const TELLERS: { readonly [what in BalancerEvent['what']]: 'engine' | 'control' } = {
  queue_full: 'engine',
  banned: 'engine',
  warning: 'engine',
  checked: 'control',
  down: 'control',
  up: 'control',
  ejected: 'control',
  spared: 'control',
  returned: 'control',
  route_down: 'control',
  route_up: 'control',
  availability: 'control',
  weight: 'control',
  added: 'control',
  removed: 'control',
  host_maintenance: 'control',
  discovered: 'control',
  source_failed: 'control',
  source_recovered: 'control',
  export_failed: 'control',
  export_recovered: 'control',
  shared_lost: 'control',
  shared_recovered: 'control',
  drained: 'control',
  unbanned: 'control',
  reloaded: 'control',
  reload_refused: 'control',
  upgraded: 'control',
  upgrade_failed: 'control',
  resolved: 'control',
  resolve_failed: 'control',
  certificates_reloaded: 'control',
  certificate_refused: 'control',
  certificate_expiring: 'control',
  certificate_expired: 'control',
  certificate_ordered: 'control',
  certificate_failed: 'control',
  listening: 'control',
  closed: 'control',
};

/** Does the thread of an engine report this event? */
export function isOfEngine({ what }: BalancerEvent): boolean {
  return TELLERS[what] === 'engine';
}

/** What one thread has said, others say no more for this long, in ms. */
const SAID_ONCE_MS: { readonly [what in BalancerEvent['what']]?: number } = {
  // As often as one engine says it of a server.
  queue_full: 1000,
  // One thread bans a client for all; two may count its last offence at the same moment.
  banned: 1000,
  // The rarest ones are said once a minute.
  warning: 60_000,
};

/** More texts are not compared. */
const KEPT = 200;

interface Saying {
  readonly thread: number;
  readonly at: number;
}

/** Lets an event pass that several threads report, once; each of them limits how often it says the same. */
export class ThreadEvents {
  readonly #clock: Clock;
  readonly #said = new Map<string, Saying>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False when another thread has just said the same. */
  passes(event: BalancerEvent, thread: number): boolean {
    const key = keyOf(event);
    const now = this.#clock.now();
    const last = this.#said.get(key);
    if (last !== undefined && last.thread !== thread && now - last.at < saidOnceMs(event)) return false;
    this.#said.delete(key);
    this.#said.set(key, { thread, at: now });
    if (this.#said.size > KEPT)
      for (const oldest of [...this.#said.keys()].slice(0, 1)) this.#said.delete(oldest);
    return true;
  }
}

function saidOnceMs(event: BalancerEvent): number {
  const limit = event.what === 'warning' ? event.limit : undefined;
  return limit?.everyMs ?? SAID_ONCE_MS[event.what] ?? 0;
}

function keyOf(event: BalancerEvent): string {
  switch (event.what) {
    case 'queue_full':
      return `full ${event.server}`;
    case 'banned':
      return `ban ${event.firewall} ${event.client}`;
    case 'warning':
      return `warning ${event.limit?.kind ?? event.message}`;
    default:
      return event.what;
  }
}
