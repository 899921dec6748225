import { Recent } from '../../base/collections.js';

/**
 * check_failed, check_passed: a check spoke against the one before it. connect_failed: so did a live request. up, down:
 * the verdict of its checks changed. ejected: live requests failed too often. spared: they did, but it can't be done
 * without. trial: it is tried again. returned: it is used as before.
 */
export type HealthEventKind =
  | 'check_failed'
  | 'check_passed'
  | 'connect_failed'
  | 'down'
  | 'up'
  | 'ejected'
  | 'spared'
  | 'trial'
  | 'returned';

/** Something that bore on a server's health. */
export interface HealthEvent {
  /** Wall clock, ms since the epoch; of the first, when it came several times in a row. */
  readonly at: number;
  readonly what: HealthEventKind;
  /** In words: `status 500`, `5 connections failed in a row, for 30s`. */
  readonly reason: string;
  /** How often in a row. */
  readonly times: number;
}

/** How the latest check went. */
export interface LastCheck {
  readonly ok: boolean;
  /** `status 200`, `refused`, `timed out`, … */
  readonly result: string;
  /** Wall clock, ms since the epoch, when it was over. */
  readonly at: number;
  readonly durationMs: number;
}

/** Events kept of each server. */
const CAPACITY = 100;

/** What is remembered of one server's health: it stays as long as the server does, over reloads too. */
export class HealthHistory {
  readonly #events = new Recent<HealthEvent>(CAPACITY);
  /** null until one is over. */
  lastCheck: LastCheck | null = null;

  /** The last 100, oldest first. */
  get events(): readonly HealthEvent[] {
    return this.#events.toArray();
  }

  /** Notes an event; the same as the one before only counts on. */
  note(at: number, what: HealthEventKind, reason: string): void {
    const last = this.#events.last;
    if (last?.what === what && last.reason === reason) {
      this.#events.replaceLast({ ...last, times: last.times + 1 });
    } else {
      this.#events.push({ at, what, reason, times: 1 });
    }
  }

  /** Notes a check: as an event only when it failed, or passed after one that had failed. */
  noteCheck(check: LastCheck): void {
    if (!check.ok) this.note(check.at, 'check_failed', check.result);
    else if (this.lastCheck?.ok === false) this.note(check.at, 'check_passed', check.result);
    this.lastCheck = check;
  }
}
