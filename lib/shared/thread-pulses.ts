/** What another thread attaches to. */
export interface ThreadPulsesHandle {
  readonly beats: SharedArrayBuffer;
}

/**
 * A number for each thread, which its event loop raises every second: one that stands still is a thread that hangs. Each
 * thread writes its own number only.
 */
export class ThreadPulses {
  readonly #beats: Uint32Array;
  readonly #thread: number;

  private constructor({ beats }: ThreadPulsesHandle, thread: number) {
    this.#beats = new Uint32Array(beats);
    this.#thread = thread;
  }

  static create(threads: number): ThreadPulsesHandle {
    return { beats: new SharedArrayBuffer(threads * 4) };
  }

  static attach(handle: ThreadPulsesHandle, thread: number): ThreadPulses {
    return new ThreadPulses(handle, thread);
  }

  /** The event loop of this thread goes on. */
  beat(): void {
    Atomics.add(this.#beats, this.#thread, 1);
  }

  /** Wraps around after 2^32. */
  of(thread: number): number {
    return Atomics.load(this.#beats, thread);
  }
}
