import { constants } from 'node:os';
import { isRecord } from '../base/json.js';
import { Deadline, type TimerWheel } from '../base/timer-wheel.js';
import type { Cancellable, DockerClient } from './docker-client.js';
import { type Container, parseContainers } from './docker-containers.js';
import { type DockerEvent, DockerEventReader } from './docker-events.js';
import { DockerFleet } from './docker-fleet.js';

/** Called with the containers of an engine. */
export interface FleetListener {
  /** `isFirst`: of a list that was asked for after the connection was lost, or for the first time. */
  onFleet(fleet: DockerFleet, isFirst: boolean): void;
  /** The engine can't be asked, or what it says can't be used. It is not asked again by itself. */
  onLost(reason: string): void;
}

export interface DockerWatchDeps {
  readonly client: DockerClient;
  readonly wheel: TimerWheel;
  /** The machine of the engine, as it is reached from here. */
  readonly machine: string;
  /** The beginning of the id of the container that this process is in; null: in none. */
  readonly self: string | null;
}

/**
 * The events that change which containers may get requests. Each health check causes three others, which are not
 * needed.
 */
const ACTIONS = [
  ...['create', 'start', 'kill', 'stop', 'die', 'destroy', 'pause', 'unpause', 'rename', 'update'],
  ...['health_status', 'connect', 'disconnect'],
];
const FILTERS = encodeURIComponent(JSON.stringify({ type: ['container', 'network'], event: ACTIONS }));
/** A list that is younger, in ms, need not be asked for again. */
const FRESH = 1000;
/** Signals that end a program which does nothing about them, and are sent for that. */
const ENDING: ReadonlySet<number> = new Set([
  constants.signals.SIGTERM,
  constants.signals.SIGKILL,
  constants.signals.SIGINT,
]);

/**
 * How long after an event the list is asked for once more, in ms: engines report some events before their list has
 * them.
 */
const LIST_AGAIN_MS = 500;
/** How long after a signal lb asks whether the container still runs, in ms: programs may ignore signals. */
const SURVIVAL_MS = 60_000;
/** How long after the time that a container has to stop the engine has surely ended it, in ms. */
const AFTER_STOP_MS = 10_000;

/** A container that gets nothing new. */
interface Leaving {
  /** When, in ms since the epoch by the clock of the engine. */
  readonly at: number;
  /** When it was heard of, by the timer wheel. */
  readonly since: number;
  /** A signal, or its end. */
  readonly by: 'signal' | 'end';
}

/** idle: the engine is not asked. opening: the stream of events is asked for. watching: events come. */
type State = 'idle' | 'opening' | 'watching';

/**
 * Knows the containers of one engine: the stream of events is opened first and the list is asked for after that, so that
 * nothing is missed between the two. An event is a reason to ask for the list again, which then is a whole one, and once more
 * a moment later. The only things that events alone say are that a container was told to stop, and that it is paused.
 */
export class DockerWatch {
  readonly #deps: DockerWatchDeps;
  readonly #listeners = new Set<FleetListener>();
  #state: State = 'idle';
  #reader = new DockerEventReader();
  #stream: Cancellable | null = null;
  #listing: Cancellable | null = null;
  #inspections = new Set<Cancellable>();
  /** Has something happened since the list was asked for that is on its way? */
  #isStale = false;
  #containers: readonly Container[] | null = null;
  #listedAt = 0;
  /** Has the list come since the stream was opened? */
  #hasListed = false;
  /** Containers that were told to stop or have ended, by id. They may run on, or start again. */
  readonly #leaving = new Map<string, Leaving>();
  /** Those that events say are paused, by id. */
  readonly #paused = new Set<string>();
  /** Of the list after the one that an event has caused. */
  readonly #listingAgain: Deadline;
  /** Of the next one that may have survived its signal. */
  readonly #survival: Deadline;
  #fleet: DockerFleet | null = null;
  #objections: readonly string[] = [];

  constructor(deps: DockerWatchDeps) {
    this.#deps = deps;
    this.#listingAgain = new Deadline(deps.wheel, { onDeadline: () => this.#listAgain() });
    this.#survival = new Deadline(deps.wheel, { onDeadline: () => this.#lookForSurvivors() });
  }

  /** Calls `listener` with the containers now and whenever they change; again with each call. */
  ask(listener: FleetListener): void {
    this.#listeners.add(listener);
    const fleet = this.#fleet;
    if (this.#state === 'idle') this.#open();
    else if (!this.#hasListed) return;
    else if (this.#now - this.#listedAt >= FRESH) this.#list();
    else if (fleet !== null)
      setImmediate(() => {
        if (this.#listeners.has(listener) && this.#fleet === fleet) listener.onFleet(fleet, false);
      });
  }

  /** What is wrong with routes that containers ask for, beyond their labels: a line each, for the source that has them all. */
  object(objections: readonly string[]): void {
    if (objections.join('\n') === this.#objections.join('\n')) return;
    this.#objections = objections;
    if (this.#hasListed) this.#tell(false);
  }

  /** `listener` is not called any more. Without listeners the engine is not asked. */
  leave(listener: FleetListener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#close();
  }

  get #now(): number {
    return this.#deps.wheel.clock.now();
  }

  #open(): void {
    this.#state = 'opening';
    // The time of the engine: events from then on are repeated, however long the stream takes to begin.
    this.#listing = this.#deps.client.get('/_ping', {
      onReply: (_, date) => this.#follow(date),
      onFailed: (reason) => this.#lose(reason),
    });
  }

  #follow(since: number | null): void {
    this.#listing = null;
    this.#reader = new DockerEventReader();
    const from = since === null ? '' : `&since=${since}`;
    this.#stream = this.#deps.client.stream(`/events?filters=${FILTERS}${from}`, {
      onOpen: () => {
        this.#state = 'watching';
        this.#list();
      },
      onBytes: (bytes) => this.#onBytes(bytes),
      onEnded: (reason) => this.#lose(`the stream of events has ended: ${reason}`),
    });
  }

  #list(): void {
    this.#isStale = this.#listing !== null;
    if (this.#isStale) return;
    this.#listing = this.#deps.client.get('/containers/json?all=true', {
      onReply: (body) => this.#onList(body),
      onFailed: (reason) => this.#lose(`the containers cannot be listed: ${reason}`),
    });
  }

  #listAgain(): void {
    if (this.#state === 'watching') this.#list();
  }

  #onList(body: Buffer): void {
    this.#listing = null;
    try {
      this.#containers = parseContainers(body);
    } catch (error) {
      this.#lose((error as Error).message);
      return;
    }
    this.#listedAt = this.#now;
    const isFirst = !this.#hasListed;
    this.#hasListed = true;
    this.#forgetOthers(isFirst);
    if (this.#isStale) this.#list();
    this.#tell(isFirst);
  }

  /** Drops what was known of containers that are gone; what happened while nobody listened has to be asked for. */
  #forgetOthers(isFirst: boolean): void {
    const byId = new Map((this.#containers ?? []).map((container) => [container.id, container]));
    for (const id of this.#paused) if (isFirst || !byId.has(id)) this.#paused.delete(id);
    for (const [id, leaving] of this.#leaving) {
      const container = byId.get(id);
      if (container === undefined) this.#leaving.delete(id);
      else if (isFirst && container.state === 'running')
        this.#inspect(id, (state) => {
          // It may have been told to stop once more meanwhile.
          if (this.#leaving.get(id) === leaving && startOf(state) > leaving.at) this.#comesBack(id);
        });
    }
  }

  /** The ids of those that events say get no request, whatever the list says. */
  get #withoutRequests(): readonly string[] {
    return [...this.#leaving.keys(), ...this.#paused];
  }

  #tell(isFirst: boolean): void {
    const { self, machine } = this.#deps;
    const leaving = new Set(this.#withoutRequests);
    const fleet = new DockerFleet(
      this.#containers ?? [],
      { leaving, self, machine, objections: this.#objections },
      this.#fleet,
    );
    this.#fleet = fleet;
    for (const listener of [...this.#listeners]) listener.onFleet(fleet, isFirst);
  }

  #onBytes(bytes: Buffer): void {
    let events: readonly DockerEvent[];
    try {
      events = this.#reader.read(bytes);
    } catch (error) {
      this.#lose(`the stream of events cannot be used: ${(error as Error).message}`);
      return;
    }
    if (events.length === 0) return;
    const before = this.#withoutRequests.join();
    for (const event of events) this.#onEvent(event);
    if (this.#state !== 'watching') return;
    // A container that leaves gets no request from now on, however long the list takes.
    if (this.#hasListed && this.#withoutRequests.join() !== before) this.#tell(false);
    this.#list();
    this.#listingAgain.arm(LIST_AGAIN_MS);
  }

  #onEvent({ type, action, id, signal, at }: DockerEvent): void {
    if (type !== 'container') return;
    if (action === 'pause') this.#paused.add(id);
    else if (action === 'unpause' || action === 'start' || action === 'die') this.#paused.delete(id);
    if (action === 'start') this.#leaving.delete(id);
    else if (action === 'die' || action === 'stop' || action === 'destroy') this.#leave(id, at, 'end');
    else if (action === 'kill') this.#onSignal(id, signal ?? constants.signals.SIGTERM, at);
  }

  /** Programs may be told by other signals to read their files again, and by any to stop: the image says which one. */
  #onSignal(id: string, signal: number, at: number): void {
    if (ENDING.has(signal)) this.#leave(id, at, 'signal');
    else
      this.#inspect(id, (state) => {
        const { Config: config } = state;
        const stop = isRecord(config) ? config.StopSignal : undefined;
        if (typeof stop !== 'string' || signalNumber(stop) !== signal) return;
        // It may have ended meanwhile, or have been started again.
        if (!isRunning(state) || startOf(state) > at) return;
        this.#leave(id, at, 'signal');
        this.#tell(false);
      });
  }

  #leave(id: string, at: number, by: Leaving['by']): void {
    this.#leaving.set(id, { at, since: this.#now, by });
    if (by === 'signal' && !this.#survival.armed) this.#survival.arm(SURVIVAL_MS);
  }

  /** Asks how those are that were sent a signal long ago, and have not ended: some programs ignore it. */
  #lookForSurvivors(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const [id, leaving] of this.#leaving) {
      if (leaving.by !== 'signal') continue;
      const since = this.#now - leaving.since;
      if (since >= SURVIVAL_MS)
        this.#inspect(id, (state) => {
          // It may have been sent another signal meanwhile, or have ended.
          if (this.#leaving.get(id) !== leaving || !isRunning(state)) return;
          if (since >= stopTimeOf(state) + AFTER_STOP_MS) this.#comesBack(id);
        });
      next = Math.min(next, since >= SURVIVAL_MS ? SURVIVAL_MS : SURVIVAL_MS - since);
    }
    if (next !== Number.POSITIVE_INFINITY) this.#survival.arm(next);
  }

  #comesBack(id: string): void {
    this.#leaving.delete(id);
    this.#tell(false);
  }

  /** Without an answer all stays as it is: the next list says how the container is. */
  #inspect(id: string, onState: (state: Inspected) => void): void {
    if (!/^[0-9a-f]+$/.test(id)) return;
    const inspection = this.#deps.client.get(`/containers/${id}/json`, {
      onReply: (body) => {
        this.#inspections.delete(inspection);
        const state = parseObject(body);
        if (state !== null && this.#hasListed) onState(state);
      },
      onFailed: () => this.#inspections.delete(inspection),
    });
    this.#inspections.add(inspection);
  }

  #lose(reason: string): void {
    this.#reset();
    for (const listener of [...this.#listeners]) listener.onLost(reason);
  }

  #close(): void {
    this.#reset();
    this.#containers = null;
    this.#fleet = null;
    this.#leaving.clear();
    this.#paused.clear();
    this.#survival.disarm();
    this.#objections = [];
  }

  #reset(): void {
    this.#state = 'idle';
    this.#hasListed = false;
    this.#isStale = false;
    this.#listingAgain.disarm();
    this.#stream?.cancel();
    this.#listing?.cancel();
    for (const inspection of this.#inspections) inspection.cancel();
    this.#inspections.clear();
    this.#stream = null;
    this.#listing = null;
  }
}

type Inspected = { readonly [key: string]: unknown };

/** ms since the epoch by the clock of the engine; NaN when it does not say. */
function startOf({ State: state }: Inspected): number {
  return isRecord(state) ? Date.parse(String(state.StartedAt)) : Number.NaN;
}

function isRunning({ State: state }: Inspected): boolean {
  return isRecord(state) && state.Running === true;
}

/** The time in ms that a container has between being told to stop and being ended. */
function stopTimeOf({ Config: config }: Inspected): number {
  const seconds = isRecord(config) ? config.StopTimeout : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 0;
}

function parseObject(body: Buffer): Inspected | null {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** The first real-time signal of Linux; C libraries keep the two before it. */
const RTMIN = 34;

/** Of `SIGQUIT`, `QUIT`, `3` and `SIGRTMIN+3`; null: there is no such signal. */
export function signalNumber(text: string): number | null {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const realTime = /^SIGRTMIN(?:\+(\d{1,2}))?$/.exec(name);
  if (realTime !== null) return RTMIN + Number(realTime[1] ?? 0);
  return (constants.signals as { readonly [name: string]: number | undefined })[name] ?? null;
}
