import { Recent } from '../../base/collections.js';

/**
 * check_failed, check_passed: a check had another result than the one before. connect_failed: a live request could not
 * connect. up, down: the state by checks changed. ejected: live requests failed too often. spared: the same, but no other
 * server was left. trial: requests are tried again. returned: the server is used as before.
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

/** An event that concerns a server's health. */
export interface HealthEvent {
  /** Wall clock, ms since the epoch; of the first one, when it happened several times in a row. */
  readonly at: number;
  readonly what: HealthEventKind;
  /** In words: `status 500`, `5 connections failed in a row, for 30s`. */
  readonly reason: string;
  /** How many times in a row. */
  readonly times: number;
}

/** The result of the latest check. */
export interface LastCheck {
  readonly ok: boolean;
  /** `status 200`, `refused`, `timed out`, … */
  readonly result: string;
  /** Wall clock, ms since the epoch, at its end. */
  readonly at: number;
  readonly durationMs: number;
}

/** Events kept per server. */
const CAPACITY = 100;

/** The health history of one server: kept as long as the server, over reloads too. */
export class HealthHistory {
  readonly #events = new Recent<HealthEvent>(CAPACITY);
  /** null until a check is over. */
  lastCheck: LastCheck | null = null;
  /** Who waits for the next check; null: nobody. */
  #waiting: (() => void)[] | null = null;

  /** The last 100, oldest first. */
  get events(): readonly HealthEvent[] {
    return this.#events.toArray();
  }

  /** Why this happened the last time; empty when it is not among the last 100 events. */
  lastReason(what: HealthEventKind): string {
    return this.#events.toArray().findLast((event) => event.what === what)?.reason ?? '';
  }

  /** Records an event; a repetition of the previous one only increases its count. */
  note(at: number, what: HealthEventKind, reason: string): void {
    const last = this.#events.last;
    if (last?.what === what && last.reason === reason) {
      this.#events.replaceLast({ ...last, times: last.times + 1 });
    } else {
      this.#events.push({ at, what, reason, times: 1 });
    }
  }

  /** Records a check: as an event only if it failed, or passed after a failed one. */
  noteCheck(check: LastCheck): void {
    if (!check.ok) this.note(check.at, 'check_failed', check.result);
    else if (this.lastCheck?.ok === false) this.note(check.at, 'check_passed', check.result);
    this.lastCheck = check;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) for (const resolve of waiting) resolve();
  }

  /** Resolves when the next check is over, and the server has been judged by it. */
  nextResult(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }
}
