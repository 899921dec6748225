import { maskedClient } from '../base/masked-address.js';
import type { Observer } from '../base/observer.js';
import type { TimerWheel } from '../base/timer-wheel.js';

/**
 * How connections to listeners that expect a PROXY header ended up. accepted: the header named a client. local: the proxy
 * speaks for itself, or does not know the client (UNKNOWN, UNSPEC). untrusted: the peer is in none of the networks.
 * missing: there was no header. malformed: the beginning of a header. timeout: it was incomplete after the timeout.
 * closed: the peer closed before it was complete. gave_way: its place was needed for another connection.
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

/** Results that operators must know, because they mean a mistake here or at the proxy, or an attempt to get in. */
const REPORTED: ReadonlySet<ProxyHeaderResult> = new Set(['untrusted', 'missing', 'malformed', 'timeout']);

/** The same kind is reported to operators at most once in this long. */
const REPORT_MS = 60_000;

/** Counts the results of PROXY headers, and sometimes reports refused ones. One for a whole balancer. */
export class ProxyHeaderCounts {
  readonly results: Map<ProxyHeaderResult, number> = new Map(
    PROXY_HEADER_RESULTS.map((result) => [result, 0]),
  );
  readonly #wheel: TimerWheel;
  readonly #observer: Observer;
  /** By kind: when it was last reported, and how often it has occurred since. */
  readonly #reported = new Map<ProxyHeaderResult, { at: number; skipped: number }>();
  /** Do reports have the networks of peers in place of their addresses? Who connects without a proxy may be a client. */
  masksAddresses = false;

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
    const shown = this.masksAddresses ? maskedClient(peer) : peer;
    const message = `a connection from ${shown} to ${listener} was closed: ${why.replaceAll(peer, shown)}${more}`;
    const limit = { kind: `proxy header ${result}`, everyMs: REPORT_MS };
    this.#observer.event?.({ what: 'warning', message, limit });
  }
}
