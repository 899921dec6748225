/** What another thread attaches to. */
export interface ServerSlotsHandle {
  readonly threads: number;
}

/** What servers are doing, in all threads. */
export class ServerSlots {
  readonly thread: number;

  private constructor(thread: number) {
    this.thread = thread;
  }

  static create(threads: number): ServerSlotsHandle {
    return { threads };
  }

  static attach(_handle: ServerSlotsHandle, thread: number): ServerSlots {
    return new ServerSlots(thread);
  }

  /** Gives back what a thread held that has ended. */
  reclaim(_thread: number): void {}
}
