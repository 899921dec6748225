import {
  type Algorithm,
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  type Scheduler,
} from './scheduler/scheduler.js';
import type { Server } from './server.js';

/** Some servers of a group, by standing, with a scheduler for them that is made when first needed. */
interface View {
  /** A bit for each standing. */
  readonly standings: number;
  size: number;
  scheduler: Scheduler | null;
}

const bits = (...standings: readonly number[]): number => standings.reduce((sum, one) => sum | (1 << one), 0);

/** Views by index, each with one for normal and one for backup servers. */
const WILLING = 0;
const STEADY = 1;
const CROWDED = 2;
const ALL = 3;
const OF_BACKUPS = 4;

/**
 * The order in which views are used: a server with room, else the queue of a full one, else a backup server; a half-open
 * server gets a second request only when there is no other.
 */
const FOR_REPEATABLE = order(WILLING);
/** Requests that may not be sent twice avoid half-open servers. */
const FOR_OTHERS = order(STEADY);

function order(first: number): readonly number[] {
  return [first, CROWDED, first + OF_BACKUPS, CROWDED + OF_BACKUPS, ALL, ALL + OF_BACKUPS];
}

/** One way to choose among the servers of a group, updated as their standings change. */
export class Selection {
  /** By index. The list belongs to the group, which extends it. */
  readonly #candidates: readonly Candidate[];
  readonly #algorithm: Algorithm;
  /** The standing of each server. The array belongs to the group, which changes it. */
  #standings: Uint8Array;
  readonly #views: readonly View[];
  /** Must a scheduler be called when loads change? */
  followsLoad = false;

  constructor(candidates: readonly Candidate[], standings: Uint8Array, algorithm: Algorithm) {
    this.#candidates = candidates;
    this.#standings = standings;
    this.#algorithm = algorithm;
    const crowded = algorithm.avoidsFull ? [FULL] : [];
    const open = algorithm.avoidsFull ? [OPEN] : [OPEN, FULL];
    const views = [[...open, CAREFUL], open, crowded, [OPEN, FULL, CAREFUL, BUSY]];
    this.#views = [...views, ...views.map((view) => view.map((one) => one + BACKUP))].map((view) => ({
      standings: bits(...view),
      size: 0,
      scheduler: null,
    }));
    for (const standing of standings) this.#count(standing, 1);
  }

  #count(standing: number, change: number): void {
    for (const view of this.#views) if ((view.standings >> standing) & 1) view.size += change;
  }

  /** The index of the server to use next, not one of `tried`; `NO_CANDIDATE` when there is none left. */
  pick(key: PickKey, tried: readonly number[], repeatable: boolean): number {
    const views = repeatable ? FOR_REPEATABLE : FOR_OTHERS;
    for (let i = 0; i < views.length; i++) {
      const view = this.#views[views[i] as number] as View;
      if (view.size === 0) continue;
      const picked = (view.scheduler ?? this.#open(view)).pick(key, tried);
      if (picked !== NO_CANDIDATE) return picked;
    }
    return NO_CANDIDATE;
  }

  #open(view: View): Scheduler {
    const scheduler = this.#algorithm.create(this.#candidates);
    view.scheduler = scheduler;
    for (const [index, standing] of this.#standings.entries())
      if ((view.standings >> standing) & 1) scheduler.include(index);
    this.followsLoad ||= scheduler.followsLoad;
    return scheduler;
  }

  /** The standing of a server has changed. */
  move(index: number, from: number, to: number): void {
    for (const view of this.#views) {
      const was = (view.standings >> from) & 1;
      const is = (view.standings >> to) & 1;
      if (was === is) continue;
      view.size += is - was;
      if (is === 1) view.scheduler?.include(index);
      else view.scheduler?.exclude(index);
    }
  }

  /** There are more servers, and a longer array of standings. */
  grow(standings: Uint8Array): void {
    this.#standings = standings;
    for (const { scheduler } of this.#views) {
      if (scheduler === null) continue;
      scheduler.grow();
      this.followsLoad ||= scheduler.followsLoad;
    }
  }

  /** A server that was out has left the group. */
  forget(index: number): void {
    for (const { scheduler } of this.#views) scheduler?.forget(index);
  }

  /** All indexes have changed: every server starts as out, and its standing is set again afterwards. */
  reset(): void {
    this.followsLoad = false;
    for (const view of this.#views) {
      view.size = 0;
      view.scheduler = null;
    }
  }

  /** The weight or the capacity of a server has changed. */
  reweigh(index: number): void {
    const standing = this.#standings[index] as number;
    for (const { standings, scheduler } of this.#views)
      if (scheduler !== null && (standings >> standing) & 1) scheduler.reweigh(index);
  }

  /** The number of requests of a server has changed. */
  noteLoad(index: number): void {
    if (!this.followsLoad) return;
    const standing = this.#standings[index] as number;
    for (const { standings, scheduler } of this.#views)
      if (scheduler?.followsLoad && (standings >> standing) & 1) scheduler.noteLoad(index);
  }
}

/**
 * The standing of a server in its group, for new requests. out: gets none. open: gets its share. full: has as many as it
 * may have at once, so more would wait in the queue. careful: half-open, and gets a request that may be sent twice. busy:
 * half-open, and has its request.
 */
export const OUT = 0;
export const OPEN = 1;
const FULL = 2;
export const CAREFUL = 3;
export const BUSY = 4;
/** Added for a backup server. */
export const BACKUP = 5;
/** The number of standings, including those of backup servers. */
export const STANDINGS = 10;

/**
 * The present standing: it changes with the server's state, and for a half-open or limited server with each of its
 * requests.
 */
export function standingOf(server: Server): number {
  if (!server.isUsable) return OUT;
  return kindOf(server) + (server.backup ? BACKUP : 0);
}

function kindOf(server: Server): number {
  if (server.isHalfOpen) {
    if (!server.hasRoom(true)) return BUSY;
    return server.hasRoom(false) ? OPEN : CAREFUL;
  }
  return server.active < server.capacity ? OPEN : FULL;
}
