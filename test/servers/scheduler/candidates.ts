import { hashText } from '../../../lib/base/hash.js';
import { LatencyEstimate } from '../../../lib/servers/scheduler/latency-estimate.js';
import {
  type Candidate,
  NO_CANDIDATE,
  type PickKey,
  type RandomSource,
  type Scheduler,
} from '../../../lib/servers/scheduler/scheduler.js';

/** A candidate that a test controls. */
export interface TestServer extends Candidate {
  readonly name: string;
  active: number;
  effectiveWeight: number;
  capacity: number;
}

/** Idle servers of these weights, named s0, s1, … */
export function servers(...weights: readonly number[]): TestServer[] {
  return weights.map((effectiveWeight, index) => {
    const name = `s${index}`;
    const latency = new LatencyEstimate();
    return {
      name,
      active: 0,
      effectiveWeight,
      capacity: Number.POSITIVE_INFINITY,
      hash: hashText(name),
      latency,
    };
  });
}

/** So many servers of weight 1. */
export const equals = (count: number): TestServer[] => servers(...new Array<number>(count).fill(1));

export type Create = (candidates: readonly Candidate[]) => Scheduler;

/**
 * A scheduler for lists of servers: before each pick it reports what has changed since the last one. A list with a server
 * that is new starts a new scheduler.
 */
export class Chooser {
  readonly #create: Create;
  #all: readonly TestServer[] = [];
  #scheduler: Scheduler | null = null;
  #weights: number[] = [];
  readonly #inside = new Set<number>();

  /** `all`: servers that may be added later, known to the scheduler from the beginning. */
  constructor(create: Create, all: readonly TestServer[] = []) {
    this.#create = create;
    if (all.length > 0) this.#begin(all);
  }

  #begin(all: readonly TestServer[]): void {
    this.#all = all;
    this.#scheduler = this.#create(all);
    this.#weights = all.map(() => 0);
    this.#inside.clear();
  }

  /** The index in `list` of the server to use next, not one of `tried`; `NO_CANDIDATE` when there is none. */
  pick(list: readonly TestServer[], key: PickKey, tried: readonly TestServer[] = []): number {
    if (list.some((server) => !this.#all.includes(server))) this.#begin([...list]);
    const scheduler = this.#scheduler as Scheduler;
    for (const [index, server] of this.#all.entries())
      this.#tell(scheduler, index, server, list.includes(server));
    const picked = scheduler.pick(
      key,
      tried.map((server) => this.#all.indexOf(server)),
    );
    return picked === NO_CANDIDATE ? NO_CANDIDATE : list.indexOf(this.#all[picked] as TestServer);
  }

  #tell(scheduler: Scheduler, index: number, server: TestServer, isIn: boolean): void {
    const { effectiveWeight } = server;
    if (!isIn) {
      if (this.#inside.delete(index)) scheduler.exclude(index);
    } else if (!this.#inside.has(index)) {
      this.#inside.add(index);
      scheduler.include(index);
    } else {
      if (this.#weights[index] !== effectiveWeight) scheduler.reweigh(index);
      if (scheduler.followsLoad) scheduler.noteLoad(index);
    }
    this.#weights[index] = effectiveWeight;
  }
}

/** The key of the `index`-th of many different requests. */
export const keyOf = (index: number): PickKey => hashText(`/item/${index}`);

/** How often each server is picked for `count` different requests. */
export function tally(chooser: Pick<Chooser, 'pick'>, list: readonly TestServer[], count: number): number[] {
  const counts = list.map(() => 0);
  for (let i = 0; i < count; i++) {
    const picked = chooser.pick(list, keyOf(i));
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

/** A server drawn by weight in the straightforward way. */
export function drawOf(list: readonly TestServer[], random: RandomSource): TestServer {
  let left = (random() / 2 ** 31) * list.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
  for (const server of list) {
    left -= server.effectiveWeight;
    if (left < 0) return server;
  }
  return list.at(-1) as TestServer;
}

/** Values of chi-square that are exceeded by chance once in a thousand times, by degrees of freedom. */
const CRITICAL = [0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88];

/** Do the counts match `weights`, allowing for chance? */
export function fits(counts: readonly number[], weights: readonly number[]): boolean {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const weight = weights.reduce((sum, each) => sum + each, 0);
  let chiSquare = 0;
  for (const [index, count] of counts.entries()) {
    const expected = (total * (weights[index] as number)) / weight;
    chiSquare += (count - expected) ** 2 / expected;
  }
  return chiSquare < (CRITICAL[counts.length - 1] as number);
}
