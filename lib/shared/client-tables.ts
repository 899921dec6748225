/** What another thread attaches to. */
export interface ClientTablesHandle {
  readonly threads: number;
}

/** What clients have used up, in all threads. */
export class ClientTables {
  readonly thread: number;

  private constructor(thread: number) {
    this.thread = thread;
  }

  static create(threads: number): ClientTablesHandle {
    return { threads };
  }

  static attach(_handle: ClientTablesHandle, thread: number): ClientTables {
    return new ClientTables(thread);
  }

  /** Gives back what a thread held that has ended. */
  reclaim(_thread: number): void {}
}
