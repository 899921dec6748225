import type { Failure } from '../base/failure.js';
import { latin1 } from '../base/latin1.js';
import type { Lease, LeaseListener, ResponseListener, ServerChannel } from './lease.js';
import type { PipelinedConnection } from './pipelined-connection.js';
import type { Pool } from './pool.js';

/** The place of one request in a pipeline: to whoever has it, it is a connection. Used for one after the other. */
export class PipelineSlot implements Lease, ServerChannel {
  #pipeline: PipelinedConnection | null = null;
  /** Waits for the connection. */
  requester: LeaseListener | null = null;
  /** null when nobody wants the response any more: it is read and dropped. */
  receiver: ResponseListener | null = null;
  toHead = false;
  pooled = false;
  contentBytes = 0;
  /** Its receiver takes no more for now. */
  isPaused = false;
  /** Its receiver has been told the head of the response. */
  isBegun = false;

  open(pipeline: PipelinedConnection, requester: LeaseListener): void {
    this.#pipeline = pipeline;
    this.requester = requester;
    this.receiver = null;
    this.pooled = false;
    this.contentBytes = 0;
    this.isPaused = false;
    this.isBegun = false;
  }

  get pool(): Pool {
    return (this.#pipeline as PipelinedConnection).pool;
  }

  get channel(): ServerChannel {
    return this;
  }

  get bodyComplete(): boolean {
    return this.#pipeline?.bodyComplete === true;
  }

  get readAt(): number {
    return (this.#pipeline as PipelinedConnection).readAt;
  }

  /** A request that shares a connection is whole: nobody has to ask. */
  get serverKeeps(): boolean {
    return true;
  }

  assign(receiver: ResponseListener, toHead: boolean): void {
    this.requester = null;
    this.receiver = receiver;
    this.toHead = toHead;
    this.#pipeline?.assigned(this);
  }

  release(): void {
    this.receiver = null;
  }

  discard(): void {
    this.#pipeline?.abandon(this);
  }

  handTo(receiver: ResponseListener): void {
    this.receiver = receiver;
  }

  retire(): void {
    this.discard();
  }

  fail(failure: Failure, detail: string): void {
    const { receiver, requester } = this;
    this.receiver = null;
    this.requester = null;
    receiver?.onFailed(failure, detail);
    requester?.onLeaseFailed(failure, detail);
  }

  writeText(text: string): void {
    this.#pipeline?.write(text);
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    this.#pipeline?.write(latin1(buffer, start, end));
    return true;
  }

  /** Only a tunnel is ended, and never here. */
  end(): void {}

  probePeer(): void {}

  pause(): void {
    this.isPaused = true;
    this.#pipeline?.paced(this);
  }

  resume(): void {
    this.isPaused = false;
    this.#pipeline?.paced(this);
  }
}
