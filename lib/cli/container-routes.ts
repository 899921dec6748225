import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import { ValueError } from '../base/units.js';
import type { ContainerRoute, DockerSourceConfig, ProviderConfig, RefusedRoute } from '../config/types.js';
import type { DockerEngines } from '../discovery/docker-engines.js';
import type { DockerFleet } from '../discovery/docker-fleet.js';
import type { DockerWatch, FleetListener } from '../discovery/docker-watch.js';

/**
 * How long a route stays that no container has any more, in ms: one that is replaced by another is gone for a moment.
 */
const KEEP_MS = 10_000;

/**
 * The routes that labels of containers ask for, as `docker` in the settings says where they are. After an error those that
 * were known stay; the balancer asks the engine again, as for all sources.
 */
export class ContainerRoutes implements FleetListener {
  readonly #engines: DockerEngines;
  readonly #wheel: TimerWheel;
  /** Called when the routes have changed. */
  onChange: () => void = () => {};
  #source: DockerSourceConfig | null = null;
  #key = '';
  #watch: DockerWatch | null = null;
  #routes: readonly ContainerRoute[] = [];
  /** What containers ask for now, by route. */
  #asked: ReadonlyMap<string, ContainerRoute> = new Map();
  /** Routes that no container has any more, and until when they stay, by the clock. */
  readonly #kept = new Map<string, { readonly route: ContainerRoute; readonly until: number }>();
  readonly #keeping: Deadline;
  #written = '[]';
  #hasAnswered = false;
  #waiter: (() => void) | null = null;

  constructor(engines: DockerEngines, wheel: TimerWheel) {
    this.#engines = engines;
    this.#wheel = wheel;
    this.#keeping = new Deadline(wheel, { onDeadline: () => this.#combine() });
  }

  get current(): readonly ContainerRoute[] {
    return this.#routes;
  }

  /** Uses these settings from now on; null: containers make no routes. */
  follow(config: ProviderConfig | null): void {
    const key = config?.key ?? '';
    // Where the engine could not be watched, such as without its certificates, a reload tries it again.
    if (key === this.#key && (config === null || this.#watch !== null)) return;
    this.stop();
    this.#key = key;
    this.#hasAnswered = false;
    this.#kept.clear();
    this.#asked = new Map();
    this.#source = config?.source.kind === 'docker' ? config.source : null;
    if (this.#source === null) {
      this.#take([]);
      return;
    }
    try {
      this.#watch = this.#engines.watch(this.#source.engine);
      this.#watch.ask(this);
    } catch (error) {
      // The source of the balancer says what is wrong.
      if (!(error instanceof ValueError)) throw error;
    }
  }

  /** Resolves when the engine has answered or can't be asked, at the latest after `ms`. */
  async first(ms: number): Promise<void> {
    if (this.#hasAnswered || this.#watch === null || ms === 0) return;
    await new Promise<void>((resolve) => {
      const deadline = new Deadline(this.#wheel, { onDeadline: () => this.#waiter?.() });
      // The wheel keeps no process alive.
      const alive = setInterval(() => {}, ms);
      this.#waiter = () => {
        this.#waiter = null;
        clearInterval(alive);
        deadline.release();
        resolve();
      };
      deadline.arm(ms);
    });
  }

  /** Sets the routes that the settings have no place for; the status of the source shows them. */
  refuse(routes: readonly RefusedRoute[]): void {
    this.#watch?.object(routes.map(({ by, reason }) => `${by}: ${reason}`));
  }

  onFleet(fleet: DockerFleet, isFirst: boolean): void {
    const routes = fleet.routes(this.#source?.choice.labels ?? []);
    // After a pause the engine may not be ready yet: that there are none any more has to be in its next list too.
    const isDoubtful = isFirst && this.#hasAnswered && routes.length === 0;
    this.#hasAnswered = true;
    if (!isDoubtful) this.#take(routes);
    this.#waiter?.();
  }

  onLost(): void {
    this.#waiter?.();
  }

  stop(): void {
    this.#watch?.leave(this);
    this.#watch = null;
    this.#keeping.release();
    this.#waiter?.();
  }

  #take(routes: readonly ContainerRoute[]): void {
    const before = this.#asked;
    this.#asked = new Map(routes.map((route) => [route.route, route]));
    const until = this.#wheel.clock.now() + KEEP_MS;
    for (const [name, route] of before) if (!this.#asked.has(name)) this.#kept.set(name, { route, until });
    this.#combine();
  }

  /** Puts together what is asked for and what stays for a moment. */
  #combine(): void {
    const now = this.#wheel.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [name, { until }] of this.#kept)
      if (until <= now || this.#asked.has(name)) this.#kept.delete(name);
      else next = Math.min(next, until);
    if (next === Number.POSITIVE_INFINITY) this.#keeping.disarm();
    else this.#keeping.arm(next - now);
    const kept = [...this.#kept.values()].map(({ route }) => route);
    const routes = [...this.#asked.values(), ...kept];
    this.#put(routes.sort((a, b) => (a.route < b.route ? -1 : 1)));
  }

  #put(routes: readonly ContainerRoute[]): void {
    // Whose labels count is no difference, as long as they say the same.
    const written = JSON.stringify(routes.map(({ by: _, ...route }) => route));
    if (written === this.#written) return;
    this.#written = written;
    this.#routes = routes;
    this.onChange();
  }
}

/** What has changed from one list of routes to another, in a line: `www.mango.com and /img came, api.mango.com left`. */
export function describeChange(before: readonly ContainerRoute[], after: readonly ContainerRoute[]): string {
  const names = (routes: readonly ContainerRoute[]): ReadonlySet<string> =>
    new Set(routes.map(({ route }) => route));
  const [was, is] = [names(before), names(after)];
  const came = [...is].filter((route) => !was.has(route));
  const left = [...was].filter((route) => !is.has(route));
  const parts = [
    ...(came.length > 0 ? [`${some(came)} came`] : []),
    ...(left.length > 0 ? [`${some(left)} left`] : []),
  ];
  return parts.length === 0 ? 'other terms' : parts.join(', ');
}

const MOST_NAMED = 5;

function some(routes: readonly string[]): string {
  const first = routes.slice(0, MOST_NAMED).join(', ');
  return routes.length > MOST_NAMED ? `${first} and ${routes.length - MOST_NAMED} more` : first;
}
