import {
  type Algorithm,
  type Candidate,
  NOBODY,
  type PickKey,
  type Scheduler,
} from './scheduler/scheduler.js';
import type { Server } from './server.js';

/** Some servers of a group, by their standing, and a scheduler of its own for them: made when it is first needed. */
interface View {
  /** A bit for each standing. */
  readonly standings: number;
  size: number;
  scheduler: Scheduler | null;
}

const bits = (...standings: readonly number[]): number => standings.reduce((sum, one) => sum | (1 << one), 0);

/** Views by their indexes, each for servers that are no backup and for backup servers. */
const WILLING = 0;
const STEADY = 1;
const CROWDED = 2;
const ALL = 3;
const OF_BACKUPS = 4;

/**
 * In which order views are asked: a server with room, else the line of one that is full, else a backup server; one that
 * is tried again gets a second request only when there is no other.
 */
const FOR_REPEATABLE = order(WILLING);
/** What may not be sent twice is kept from servers that are tried again. */
const FOR_OTHERS = order(STEADY);

function order(first: number): readonly number[] {
  return [first, CROWDED, first + OF_BACKUPS, CROWDED + OF_BACKUPS, ALL, ALL + OF_BACKUPS];
}

/** One way to choose among the servers of a group, kept up as their standings change. */
export class Selection {
  /** By their indexes. The list is the group's, which makes it longer. */
  readonly #candidates: readonly Candidate[];
  readonly #algorithm: Algorithm;
  /** Of each server. They are the group's, which changes them. */
  #standings: Uint8Array;
  readonly #views: readonly View[];
  /** Does one of its schedulers go by load, and has to be told of it? */
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

  /** The index of the server to use next, none of `tried`; `NOBODY` when there is none left. */
  pick(key: PickKey, tried: readonly number[], repeatable: boolean): number {
    const views = repeatable ? FOR_REPEATABLE : FOR_OTHERS;
    for (let i = 0; i < views.length; i++) {
      const view = this.#views[views[i] as number] as View;
      if (view.size === 0) continue;
      const picked = (view.scheduler ?? this.#open(view)).pick(key, tried);
      if (picked !== NOBODY) return picked;
    }
    return NOBODY;
  }

  #open(view: View): Scheduler {
    const scheduler = this.#algorithm.create(this.#candidates);
    view.scheduler = scheduler;
    for (const [index, standing] of this.#standings.entries())
      if ((view.standings >> standing) & 1) scheduler.include(index);
    this.followsLoad ||= scheduler.followsLoad;
    return scheduler;
  }

  /** A server stands otherwise than before. */
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

  /** There are more servers, and longer standings. */
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

  /** All servers have other indexes: to be told how each of them stands as if they all had been out. */
  reset(): void {
    this.followsLoad = false;
    for (const view of this.#views) {
      view.size = 0;
      view.scheduler = null;
    }
  }

  /** The weight or the capacity of a server is another one. */
  reweigh(index: number): void {
    const standing = this.#standings[index] as number;
    for (const { standings, scheduler } of this.#views)
      if (scheduler !== null && (standings >> standing) & 1) scheduler.reweigh(index);
  }

  /** A server has more or fewer requests. */
  noteLoad(index: number): void {
    if (!this.followsLoad) return;
    const standing = this.#standings[index] as number;
    for (const { standings, scheduler } of this.#views)
      if (scheduler?.followsLoad && (standings >> standing) & 1) scheduler.noteLoad(index);
  }
}

/**
 * How a server stands in its group, as far as new requests are concerned. out: it gets none. open: it gets its share.
 * full: it has as many as it takes at once, more would wait in line. careful: it is tried again, with a request that
 * may be sent twice. busy: it is tried again, and has its request.
 */
export const OUT = 0;
export const OPEN = 1;
const FULL = 2;
export const CAREFUL = 3;
export const BUSY = 4;
/** Added for a backup server. */
export const BACKUP = 5;
/** Standings there are, those of backup servers included. */
export const STANDINGS = 10;

/** Now: it changes with the server's state, and of one on trial or with a limit with each of its requests. */
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
