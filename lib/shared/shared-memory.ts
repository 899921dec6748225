import { ClientTables, type ClientTablesHandle } from './client-tables.js';
import { NamedCounts, type NamedCountsHandle } from './named-counts.js';
import { ServerSlots, type ServerSlotsHandle } from './server-slots.js';
import { SuccessCounts, type SuccessCountsHandle } from './success-counts.js';
import { ThreadPulses, type ThreadPulsesHandle } from './thread-pulses.js';

/** Addresses that were ever listened on, and routes whose requests ever waited for a server. */
const LISTENERS = 1024;
const HOLD_LINES = 16_384;

/** What another thread attaches to: it can be posted to a worker thread, which then sees the same memory. */
export interface SharedMemoryHandle {
  readonly threads: number;
  readonly clients: ClientTablesHandle;
  readonly servers: ServerSlotsHandle;
  readonly successes: SuccessCountsHandle;
  readonly pulses: ThreadPulsesHandle;
  readonly listeners: NamedCountsHandle;
  readonly holds: NamedCountsHandle;
}

/**
 * What is true in all threads of a balancer at once: what clients have used up, and what servers are doing. A balancer
 * with one thread uses the same tables. Threads are numbered: 0 is the control plane, which is also the only engine when
 * there is one thread.
 */
export class SharedMemory {
  /** The number of this thread, from 0. */
  readonly thread: number;
  readonly clients: ClientTables;
  readonly servers: ServerSlots;
  readonly successes: SuccessCounts;
  /** The pulse of each thread's event loop. */
  readonly pulses: ThreadPulses;
  /** The open connections of listeners, by their addresses. */
  readonly listeners: NamedCounts;
  /** The requests that wait for a server to come back, by their routes. */
  readonly holds: NamedCounts;
  readonly handle: SharedMemoryHandle;

  private constructor(handle: SharedMemoryHandle, thread: number) {
    this.handle = handle;
    this.thread = thread;
    this.clients = ClientTables.attach(handle.clients, thread);
    this.servers = ServerSlots.attach(handle.servers, thread);
    this.successes = SuccessCounts.attach(handle.successes, thread);
    this.pulses = ThreadPulses.attach(handle.pulses, thread);
    this.listeners = NamedCounts.attach(handle.listeners, thread);
    this.holds = NamedCounts.attach(handle.holds, thread);
  }

  /** For this thread, number 0, and for `threads` - 1 others. `seed`: of `ClientTables.create`. */
  static create(threads = 1, seed?: readonly [number, number]): SharedMemory {
    const handle = {
      threads,
      clients: ClientTables.create(threads, seed),
      servers: ServerSlots.create(threads),
      successes: SuccessCounts.create(threads),
      pulses: ThreadPulses.create(threads),
      listeners: NamedCounts.create(threads, LISTENERS),
      holds: NamedCounts.create(threads, HOLD_LINES),
    };
    return new SharedMemory(handle, 0);
  }

  static attach(handle: SharedMemoryHandle, thread: number): SharedMemory {
    return new SharedMemory(handle, thread);
  }

  /** Gives back what a thread held that has ended; called by another thread. */
  reclaim(thread: number): void {
    this.clients.reclaim(thread);
    this.servers.reclaim(thread);
    this.listeners.reclaim(thread);
    this.holds.reclaim(thread);
  }
}
