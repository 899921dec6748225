import { atOnce, type Steps } from '../base/slices.js';
import type { ManagedServer } from './managed-server.js';

/** First checks are spread over at most this long, so that a dead server is noticed soon. */
const STAGGER_MS = 1000;
/** The longest time between the first checks of servers that come while requests are served. */
const MOST_APART_MS = 10;

/**
 * Resolves when each of these servers has had a check, after `patience` ms at the latest. Those without checks, or in
 * maintenance, are not waited for.
 */
export async function firstResults(members: readonly ManagedServer[], patience: number): Promise<void> {
  const histories = members
    .filter(({ health, state, isRemoved }) => health.isChecked && state !== 'maintenance' && !isRemoved)
    .map(({ health }) => health.record.history)
    .filter(({ lastCheck }) => lastCheck === null);
  if (histories.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience);
  });
  await Promise.race([Promise.all(histories.map((history) => history.nextResult())), enough]);
  clearTimeout(timer);
}

/** Starts the checks of servers, spread over time: those of all at the start, later those of servers that come. */
export class FirstChecks {
  /** Servers whose checks have not been started. */
  readonly #waiting = new Set<ManagedServer>();
  #hasStarted = false;
  #stopped = false;

  /** Are checks running? */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** The checks of this server begin at the next `start`. */
  add(member: ManagedServer): void {
    this.#waiting.add(member);
  }

  /** Starts the checks of servers that have none running. First checks are spread, unless others are running already. */
  start(): void {
    const mostApart = this.#hasStarted ? MOST_APART_MS : STAGGER_MS;
    this.#hasStarted = true;
    atOnce(this.steps(mostApart));
  }

  /** The same, in steps. */
  *steps(mostApart = STAGGER_MS): Steps<void> {
    const members = [...this.#waiting];
    this.#waiting.clear();
    const apart = Math.min(mostApart, STAGGER_MS / members.length);
    for (const [index, member] of members.entries()) {
      if (this.#stopped) return;
      if (!member.isRemoved) member.health.start(index * apart);
      yield;
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
