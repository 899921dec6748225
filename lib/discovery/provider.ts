import type { Observer } from '../base/observer.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import type { ProviderConfig } from '../config/types.js';
import type { DiscoveredServer, ProviderState, ProviderStatus, Source, SourceListener } from './contract.js';

/** ms after an error until the source is asked again: doubled with each further one. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;
/** How much later the second answer has to be that confirms an empty list after one with servers, in ms. */
const CONFIRM = 1000;
/** A source that says nothing for this many ms has failed. */
const SILENCE = 30_000;
/** The shortest time in ms between two questions, whatever the source says. */
const LEAST_PAUSE = 250;
/** Intervals are lengthened at random by up to this share, so that many balancers do not ask at once. */
const JITTER = 0.1;
/** A source with more servers has failed. */
const MOST_SERVERS = 10_000;

export interface ProviderDeps {
  readonly wheel: TimerWheel;
  readonly observer: Observer;
  /** 0 to 1, below 1. */
  readonly random: () => number;
  /** The servers of the source are others now. `servers`: all of them. */
  readonly onServers: (key: string, servers: readonly DiscoveredServer[]) => void;
  /** The source has answered for the first time. */
  readonly onFirstAnswer: () => void;
}

/**
 * Asks one source for its servers, again and again, and keeps the rules in `contract.ts`: a list that was reported is
 * in force until a better one is.
 */
export class Provider implements SourceListener, DeadlineOwner {
  readonly config: ProviderConfig;
  readonly #source: Source;
  readonly #deps: ProviderDeps;
  readonly #deadline: Deadline;
  #servers: readonly DiscoveredServer[] = [];
  #state: ProviderState = 'waiting';
  #isAsking = false;
  #isStopped = false;
  #hasAnswered = false;
  #answeredAt: number | null = null;
  #error = '';
  #errors = 0;
  /** Errors in a row. */
  #failures = 0;
  /** When the first of them came, by the clock. */
  #failingSince = 0;
  #reported = '';
  /** When an empty list came that is not confirmed yet. */
  #emptySince: number | null = null;

  constructor(config: ProviderConfig, source: Source, deps: ProviderDeps) {
    this.config = config;
    this.#source = source;
    this.#deps = deps;
    this.#deadline = new Deadline(deps.wheel, this);
  }

  start(): void {
    this.#ask();
  }

  /** Nothing is asked or told any more. */
  stop(): void {
    this.#isStopped = true;
    this.#deadline.release();
    this.#source.stop();
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  get status(): ProviderStatus {
    const { text, source } = this.config;
    return {
      source: text,
      kind: source.kind,
      state: this.#state,
      servers: this.#servers.length,
      answeredAt: this.#answeredAt,
      error: this.#error,
      errors: this.#errors,
    };
  }

  #ask(): void {
    this.#isAsking = true;
    this.#deadline.arm(SILENCE);
    this.#source.ask(this);
  }

  onDeadline(): void {
    if (this.#isAsking) this.onFailed(`no answer within ${SILENCE / 1000} s`);
    else this.#ask();
  }

  onServers(told: readonly DiscoveredServer[], validMs: number, trouble = '', isCertain = false): void {
    if (this.#isStopped) return;
    const servers = eachOnce(told);
    if (servers.length > MOST_SERVERS) {
      this.onFailed(`${servers.length} servers, and ${MOST_SERVERS} is the most that is taken`);
      return;
    }
    if (!isCertain && !this.#isCertain(servers)) return;
    this.#emptySince = null;
    this.#isAsking = false;
    const isFirst = !this.hasAnswered;
    const isSame = hasSameServers(this.#servers, servers);
    this.#hasAnswered = true;
    if (!isSame) this.#servers = servers;
    if (trouble === '') this.#recover();
    else this.#fail(trouble);
    const pause = trouble === '' ? this.#jittered(validMs) : Math.min(this.#retryMs, this.#jittered(validMs));
    this.#deadline.arm(Math.max(LEAST_PAUSE, pause));
    if (!isSame) this.#deps.onServers(this.config.key, servers);
    if (isFirst) this.#deps.onFirstAnswer();
  }

  onFailed(reason: string): void {
    if (this.#isStopped) return;
    this.#isAsking = false;
    this.#fail(reason);
    this.#deadline.arm(this.#retryMs);
  }

  /** Is it not the first of two empty lists? */
  #isCertain(servers: readonly DiscoveredServer[]): boolean {
    if (servers.length > 0 || this.#servers.length === 0) {
      this.#emptySince = null;
      return true;
    }
    const now = this.#deps.wheel.clock.now();
    this.#emptySince ??= now;
    if (now - this.#emptySince >= CONFIRM) {
      this.#emptySince = null;
      return true;
    }
    this.#isAsking = false;
    this.#error = 'it reported no servers: it is asked again before this is taken over';
    this.#deadline.arm(CONFIRM - (now - this.#emptySince) + LEAST_PAUSE);
    return false;
  }

  #recover(): void {
    const { observer, wheel } = this.#deps;
    this.#answeredAt = wheel.clock.wall();
    const failedMs = wheel.clock.now() - this.#failingSince;
    const wasReported = this.#reported !== '';
    this.#state = 'current';
    this.#error = '';
    this.#failures = 0;
    this.#reported = '';
    if (wasReported) observer.event?.({ what: 'source_recovered', source: this.config.text, failedMs });
  }

  #fail(reason: string): void {
    const { observer, wheel } = this.#deps;
    this.#state = this.hasAnswered ? 'failing' : 'waiting';
    this.#error = reason;
    this.#errors++;
    if (this.#failures++ === 0) this.#failingSince = wheel.clock.now();
    if (reason === this.#reported) return;
    this.#reported = reason;
    observer.event?.({
      what: 'source_failed',
      source: this.config.text,
      detail: reason,
      servers: this.#servers.length,
    });
  }

  get #retryMs(): number {
    return this.#jittered(Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(30, this.#failures - 1)));
  }

  #jittered(ms: number): number {
    return ms * (1 + JITTER * this.#deps.random());
  }
}

/** Of servers at one address, the first. */
function eachOnce(servers: readonly DiscoveredServer[]): readonly DiscoveredServer[] {
  const byAddress = new Map<string, DiscoveredServer>();
  for (const server of servers) if (!byAddress.has(server.address)) byAddress.set(server.address, server);
  return byAddress.size === servers.length ? servers : [...byAddress.values()];
}

/** In any order. */
function hasSameServers(before: readonly DiscoveredServer[], after: readonly DiscoveredServer[]): boolean {
  if (before.length !== after.length) return false;
  const known = new Map(before.map((server) => [server.address, server]));
  return after.every((server) => {
    const other = known.get(server.address);
    return other !== undefined && isSameServer(other, server);
  });
}

/** Are both reported with the same settings? */
export function isSameServer(one: DiscoveredServer, other: DiscoveredServer): boolean {
  return (
    one === other ||
    (one.address === other.address &&
      one.name === other.name &&
      one.weight === other.weight &&
      one.backup === other.backup &&
      one.maxConnections === other.maxConnections &&
      one.host === other.host &&
      one.origin === other.origin)
  );
}
