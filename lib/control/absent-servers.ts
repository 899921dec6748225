import { type Clock, Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

const HOUR_MS = 3_600_000;
/** How long the changes of a server that is not there are kept, in ms. */
const KEPT_MS = 7 * 24 * HOUR_MS;
/** The most servers that are not there and whose changes are kept. */
const MOST_KEPT = 1000;

/** Names of servers with changes, and since when they are not there, in ms since the epoch. */
export type AbsentSince = ReadonlyMap<string, number>;

/**
 * Servers that operators have changed, and that are not there at present: their source does not report them, or a host
 * name does not have their address. Servers in the cloud often have an address once and never again, so the changes of one
 * that has been away for seven days are forgotten, and of more than 1,000 those that have been away longest.
 */
export class AbsentServers {
  readonly #since = new Map<string, number>();

  get since(): AbsentSince {
    return new Map(this.#since);
  }

  restore(since: AbsentSince): void {
    this.#since.clear();
    for (const [name, at] of since) this.#since.set(name, at);
  }

  forget(name: string): void {
    this.#since.delete(name);
  }

  /**
   * Notes which of the servers with changes (`names`) are there. Returns those whose changes are to be forgotten, and
   * whether anything is different from before.
   */
  look(
    names: Iterable<string>,
    isThere: (name: string) => boolean,
    now: number,
  ): { readonly expired: readonly string[]; readonly isChanged: boolean } {
    const before = this.since;
    this.#since.clear();
    for (const name of names) if (!isThere(name)) this.#since.set(name, before.get(name) ?? now);
    const oldest = [...this.#since].sort(([, one], [, other]) => one - other);
    const tooMany = oldest.length - MOST_KEPT;
    const expired = oldest.flatMap(([name, at], index) =>
      index < tooMany || now - at >= KEPT_MS ? [name] : [],
    );
    const isChanged =
      before.size !== this.#since.size || [...before.keys()].some((name) => !this.#since.has(name));
    return { expired, isChanged: isChanged || expired.length > 0 };
  }
}

/** Looks at once and then every hour. */
export class AbsenceWatch implements DeadlineOwner {
  readonly #deadline: Deadline;
  readonly #clock: Clock;
  readonly #look: (now: number) => void;

  constructor(wheel: TimerWheel, clock: Clock, look: (now: number) => void) {
    this.#clock = clock;
    this.#look = look;
    this.#deadline = new Deadline(wheel, this);
  }

  start(): void {
    this.onDeadline();
  }

  onDeadline(): void {
    this.#look(this.#clock.wall());
    this.#deadline.arm(HOUR_MS);
  }
}
