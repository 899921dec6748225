import { hashText } from '../../../lib/base/hash.js';
import { LatencyEstimate } from '../../../lib/servers/scheduler/latency-estimate.js';
import {
  type Candidate,
  NOBODY,
  type PickKey,
  type RandomSource,
  type Scheduler,
} from '../../../lib/servers/scheduler/scheduler.js';

/** A server as a scheduler sees it, in the hands of a test. */
export interface TestServer extends Candidate {
  readonly name: string;
  active: number;
  effectiveWeight: number;
  capacity: number;
}

/** Servers of these weights, idle, called s0, s1, … */
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

/** As many servers of weight 1. */
export const equals = (count: number): TestServer[] => servers(...new Array<number>(count).fill(1));

export type Create = (candidates: readonly Candidate[]) => Scheduler;

/**
 * A scheduler for lists of servers: tells it, before each pick, what has changed about them since the last one. A list
 * with a server that was in none before begins a scheduler anew.
 */
export class Chooser {
  readonly #create: Create;
  #all: readonly TestServer[] = [];
  #scheduler: Scheduler | null = null;
  #weights: number[] = [];
  readonly #inside = new Set<number>();

  /** `all`: servers that may come, if it is to know of them from the beginning. */
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

  /** The index in `list` of the one to use next, none of `tried`; `NOBODY` when there is none. */
  pick(list: readonly TestServer[], key: PickKey, tried: readonly TestServer[] = []): number {
    if (list.some((server) => !this.#all.includes(server))) this.#begin([...list]);
    const scheduler = this.#scheduler as Scheduler;
    for (const [index, server] of this.#all.entries())
      this.#tell(scheduler, index, server, list.includes(server));
    const picked = scheduler.pick(
      key,
      tried.map((server) => this.#all.indexOf(server)),
    );
    return picked === NOBODY ? NOBODY : list.indexOf(this.#all[picked] as TestServer);
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

/** How often each is picked by `count` different requests. */
export function tally(chooser: Pick<Chooser, 'pick'>, list: readonly TestServer[], count: number): number[] {
  const counts = list.map(() => 0);
  for (let i = 0; i < count; i++) {
    const picked = chooser.pick(list, keyOf(i));
    counts[picked] = (counts[picked] ?? 0) + 1;
  }
  return counts;
}

/** One of them by weight, as a look at each of them draws it. */
export function drawOf(list: readonly TestServer[], random: RandomSource): TestServer {
  let left = (random() / 2 ** 31) * list.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
  for (const server of list) {
    left -= server.effectiveWeight;
    if (left < 0) return server;
  }
  return list.at(-1) as TestServer;
}

/** Values of chi-square that chance exceeds once in a thousand times, by degrees of freedom. */
const CRITICAL = [0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88];

/** Do the counts differ from what `weights` expect by no more than chance does? */
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
