import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';

/**
 * What became of connections to listeners that expect a PROXY header. accepted: a client's address was last. local: the proxy
 * speaks for itself, or does not know for whom (UNKNOWN, UNSPEC). untrusted: the peer is in none of the networks. missing:
 * what came is no header. malformed: it begins as one. timeout: it was not whole in time. closed: the peer closed before it
 * was whole. gave_way: its place was needed for another connection.
 */
export const PROXY_HEADER_RESULTS = [
  'accepted',
  'local',
  'untrusted',
  'missing',
  'malformed',
  'timeout',
  'closed',
  'gave_way',
] as const;
export type ProxyHeaderResult = (typeof PROXY_HEADER_RESULTS)[number];

/** What an operator has to know of, as it is a mistake here or at the proxy, or somebody trying. */
const REPORTED: ReadonlySet<ProxyHeaderResult> = new Set(['untrusted', 'missing', 'malformed', 'timeout']);

/** An operator is told of the same kind at most once in so long. */
const REPORT_MS = 60_000;

/** Counts what becomes of PROXY headers, and tells of those that were refused now and then. One for a whole balancer. */
export class ProxyHeaderCounts {
  readonly results: Map<ProxyHeaderResult, number> = new Map(
    PROXY_HEADER_RESULTS.map((result) => [result, 0]),
  );
  readonly #wheel: TimerWheel;
  readonly #observer: Observer;
  /** By kind: when it was told, and how often it has come since. */
  readonly #reported = new Map<ProxyHeaderResult, { at: number; skipped: number }>();

  constructor(wheel: TimerWheel, observer: Observer) {
    this.#wheel = wheel;
    this.#observer = observer;
  }

  /** `why`: a clause that says what was wrong. */
  count(result: ProxyHeaderResult, listener: string, peer: string, why = ''): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
    if (!REPORTED.has(result)) return;
    const { now } = this.#wheel;
    const last = this.#reported.get(result);
    if (last !== undefined && now - last.at < REPORT_MS) {
      last.skipped++;
      return;
    }
    const more = last === undefined || last.skipped === 0 ? '' : ` (and ${last.skipped} more like it before)`;
    this.#reported.set(result, { at: now, skipped: 0 });
    const message = `a connection from ${peer} to ${listener} was closed: ${why}${more}`;
    this.#observer.event?.({ what: 'warning', message });
  }
}
