import type { TimerWheel } from '../base/timer-wheel.js';
import type { ConnectionSource, Lease, LeaseListener, PipelineOwner } from './contracts.js';
import { PipelinedConnection, PipelineSlot } from './pipelined-connection.js';

/** Objects kept for the next requests. */
const MAX_SPARE = 1024;

/**
 * The pipelines of one pool. A request gets an unused connection, else joins the pipeline with the fewest requests in
 * flight; a new connection is opened when all have as many as allowed. While the pool's queue is full no request joins,
 * as requests must be served in the order of the queue.
 */
export class PipelinedConnections implements PipelineOwner<PipelinedConnection, PipelineSlot> {
  readonly #source: ConnectionSource;
  readonly #wheel: TimerWheel;
  /** Pipelines that may take another request, by their number of requests. */
  readonly #byLoad: PipelinedConnection[][] = [];
  /** Pipelines that wait for a connection. */
  readonly #waiting = new Set<PipelinedConnection>();
  /** The last of these, while it is also the last in the pool's queue. */
  #gathering: PipelinedConnection | null = null;
  readonly #spareSlots: PipelineSlot[] = [];
  readonly #sparePipelines: PipelinedConnection[] = [];

  constructor(source: ConnectionSource, wheel: TimerWheel) {
    this.#source = source;
    this.#wheel = wheel;
  }

  /** Requests in the queue that share an entry with another. */
  get waitingBeside(): number {
    let count = 0;
    for (const pipeline of this.#waiting) count += pipeline.load - 1;
    return count;
  }

  /** Like `Pool.lease`. */
  lease(requester: LeaseListener): Lease | null {
    const { limits, isFull } = this.#source;
    const connection = this.#source.takeIdle();
    if (connection !== null) {
      const pipeline = this.#takePipeline();
      pipeline.adopt(connection);
      return this.#join(pipeline, requester);
    }
    const running = isFull ? null : this.#leastLoaded(limits.pipelining);
    if (running !== null) return this.#join(running, requester);
    const gathering = this.#gathering;
    if (gathering === null || gathering.load >= limits.pipelining) return this.#leaseAnother(requester);
    if (isFull && this.#source.waitingCount >= limits.maxWaiting) this.#source.refuse(requester);
    else gathering.join(requester);
    return null;
  }

  /** Stops batching: a request that needs its own connection is now last in the queue. */
  closeGathering(): void {
    this.#gathering = null;
  }

  /** True if the requester was in one of the waiting pipelines. */
  cancel(requester: LeaseListener): boolean {
    for (const pipeline of this.#waiting) {
      if (!pipeline.leave(requester)) continue;
      if (pipeline.load === 0) {
        this.#source.cancel(pipeline);
        this.waitsNoLonger(pipeline);
        this.putPipeline(pipeline);
      }
      return true;
    }
    return false;
  }

  #join(pipeline: PipelinedConnection, requester: LeaseListener): PipelineSlot {
    const place = pipeline.join(requester);
    this.list(pipeline);
    return place;
  }

  #leaseAnother(requester: LeaseListener): null {
    const pipeline = this.#takePipeline();
    pipeline.join(requester);
    this.#waiting.add(pipeline);
    this.#source.leaseWhole(pipeline);
    if (this.#waiting.has(pipeline)) this.#gathering = pipeline;
    return null;
  }

  #leastLoaded(pipelining: number): PipelinedConnection | null {
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

  /** The number of requests has changed, or whether the pipeline accepts more. */
  list(pipeline: PipelinedConnection): void {
    if (pipeline.listed !== -1) this.#unlist(pipeline);
    if (!pipeline.takesMore) return;
    const { load } = pipeline;
    while (this.#byLoad.length <= load) this.#byLoad.push([]);
    const list = this.#byLoad[load] as PipelinedConnection[];
    pipeline.noteListed(load, list.push(pipeline) - 1);
  }

  #unlist(pipeline: PipelinedConnection): void {
    const { listed, index } = pipeline;
    const list = this.#byLoad[listed] as PipelinedConnection[];
    const last = list.pop() as PipelinedConnection;
    if (last !== pipeline) {
      list[index] = last;
      last.noteListed(listed, index);
    }
    pipeline.noteListed(-1, 0);
  }

  waitsNoLonger(pipeline: PipelinedConnection): void {
    this.#waiting.delete(pipeline);
    if (this.#gathering === pipeline) this.#gathering = null;
  }

  takeSlot(): PipelineSlot {
    return this.#spareSlots.pop() ?? new PipelineSlot();
  }

  putSlot(place: PipelineSlot): void {
    if (this.#spareSlots.length < MAX_SPARE) this.#spareSlots.push(place);
  }

  #takePipeline(): PipelinedConnection {
    return this.#sparePipelines.pop() ?? new PipelinedConnection(this.#source, this, this.#wheel);
  }

  putPipeline(pipeline: PipelinedConnection): void {
    if (pipeline.listed !== -1) this.#unlist(pipeline);
    if (this.#sparePipelines.length < MAX_SPARE) this.#sparePipelines.push(pipeline);
  }
}
