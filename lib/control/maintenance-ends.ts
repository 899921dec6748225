import { type Clock, Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { HostMaintenance } from '../routing/host-maintenance.js';

/** The longest wait in ms: the wall clock may be set meanwhile. */
const LONGEST_WAIT = 60_000;

/** Ends the maintenance of hosts when their time is over. Requests are served from that moment on anyway. */
export class MaintenanceEnds implements DeadlineOwner {
  readonly #clock: Clock;
  readonly #deadline: Deadline;
  readonly #end: (host: string) => void;
  #list: readonly HostMaintenance[] = [];

  /** `end` is called for each host whose time is over, and has to lead to another call of `follow`. */
  constructor(wheel: TimerWheel, clock: Clock, end: (host: string) => void) {
    this.#clock = clock;
    this.#deadline = new Deadline(wheel, this);
    this.#end = end;
  }

  /** Sets the hosts that are in maintenance now. */
  follow(list: readonly HostMaintenance[]): void {
    this.#list = list;
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of list) if (until !== null && until < next) next = until;
    if (next === Number.POSITIVE_INFINITY) {
      this.#deadline.disarm();
      return;
    }
    const left = next - this.#clock.wall();
    this.#deadline.arm(Math.min(LONGEST_WAIT, Math.max(1, left)));
  }

  onDeadline(): void {
    const now = this.#clock.wall();
    const list = this.#list;
    for (const { host, until } of list) if (until !== null && until <= now) this.#end(host);
    if (this.#list === list) this.follow(list);
  }
}
