import type { TimerWheel } from '../base/timer-wheel.js';
import type { Lease, LeaseRequester } from './lease.js';
import { Pipeline } from './pipeline.js';
import { Place } from './place.js';
import type { Pool } from './pool.js';

/** Kept for use by the next requests. */
const MAX_SPARE = 1024;

/**
 * The pipelines of one pool. A request goes to an unused connection, else where the fewest are in flight, and a new
 * connection is opened when all have as many as they may. While the pool's line is full nobody joins: it is whose turn
 * it is in the line that counts.
 */
export class Pipelines {
  readonly #pool: Pool;
  readonly #wheel: TimerWheel;
  /** Those that may take another request, by how many they have. */
  readonly #byLoad: Pipeline[][] = [];
  /** Those that wait for a connection. */
  readonly #waiting = new Set<Pipeline>();
  /** The last of them, as long as it is the last in line. */
  #gathering: Pipeline | null = null;
  readonly #sparePlaces: Place[] = [];
  readonly #sparePipelines: Pipeline[] = [];

  constructor(pool: Pool, wheel: TimerWheel) {
    this.#pool = pool;
    this.#wheel = wheel;
  }

  /** Requests in line that share an entry with another. */
  get waitingBeside(): number {
    let count = 0;
    for (const pipeline of this.#waiting) count += pipeline.load - 1;
    return count;
  }

  /** As `Pool.lease`. */
  lease(requester: LeaseRequester): Lease | null {
    const { limits, isFull } = this.#pool;
    const connection = this.#pool.takeIdle();
    if (connection !== null) {
      const pipeline = this.#takePipeline();
      pipeline.adopt(connection);
      return this.#join(pipeline, requester);
    }
    const running = isFull ? null : this.#leastLoaded(limits.pipelining);
    if (running !== null) return this.#join(running, requester);
    const gathering = this.#gathering;
    if (gathering === null || gathering.load >= limits.pipelining) return this.#leaseAnother(requester);
    if (isFull && this.#pool.waitingCount >= limits.maxWaiting) this.#pool.refuse(requester);
    else gathering.join(requester);
    return null;
  }

  /** Whoever comes now stands behind somebody who waits for a whole connection. */
  closeGathering(): void {
    this.#gathering = null;
  }

  /** True if the requester was in one of these. */
  cancel(requester: LeaseRequester): boolean {
    for (const pipeline of this.#waiting) {
      if (!pipeline.leave(requester)) continue;
      if (pipeline.load === 0) {
        this.#pool.cancel(pipeline);
        this.waitsNoLonger(pipeline);
        this.putPipeline(pipeline);
      }
      return true;
    }
    return false;
  }

  #join(pipeline: Pipeline, requester: LeaseRequester): Place {
    const place = pipeline.join(requester);
    this.list(pipeline);
    return place;
  }

  #leaseAnother(requester: LeaseRequester): null {
    const pipeline = this.#takePipeline();
    pipeline.join(requester);
    this.#waiting.add(pipeline);
    this.#pool.leaseWhole(pipeline);
    if (this.#waiting.has(pipeline)) this.#gathering = pipeline;
    return null;
  }

  #leastLoaded(pipelining: number): Pipeline | null {
    for (let load = 0; load < pipelining; load++) {
      const list = this.#byLoad[load];
      for (let last = list?.at(-1); last !== undefined; last = list?.at(-1)) {
        if (last.takesMore) return last;
        this.#unlist(last);
      }
    }
    return null;
  }

  // Called by pipelines.

  /** Its load has changed, or whether it takes more. */
  list(pipeline: Pipeline): void {
    if (pipeline.listed !== -1) this.#unlist(pipeline);
    if (!pipeline.takesMore) return;
    pipeline.listed = pipeline.load;
    while (this.#byLoad.length <= pipeline.load) this.#byLoad.push([]);
    const list = this.#byLoad[pipeline.load] as Pipeline[];
    pipeline.index = list.push(pipeline) - 1;
  }

  #unlist(pipeline: Pipeline): void {
    const list = this.#byLoad[pipeline.listed] as Pipeline[];
    const last = list.pop() as Pipeline;
    if (last !== pipeline) {
      list[pipeline.index] = last;
      last.index = pipeline.index;
    }
    pipeline.listed = -1;
  }

  waitsNoLonger(pipeline: Pipeline): void {
    this.#waiting.delete(pipeline);
    if (this.#gathering === pipeline) this.#gathering = null;
  }

  takePlace(): Place {
    return this.#sparePlaces.pop() ?? new Place();
  }

  putPlace(place: Place): void {
    if (this.#sparePlaces.length < MAX_SPARE) this.#sparePlaces.push(place);
  }

  #takePipeline(): Pipeline {
    return this.#sparePipelines.pop() ?? new Pipeline(this.#pool, this, this.#wheel);
  }

  putPipeline(pipeline: Pipeline): void {
    if (pipeline.listed !== -1) this.#unlist(pipeline);
    if (this.#sparePipelines.length < MAX_SPARE) this.#sparePipelines.push(pipeline);
  }
}
