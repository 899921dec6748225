import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { ACTIVE } from '../../lib/shared/server-row.js';
import { SharedMemory, type SharedMemoryHandle } from '../../lib/shared/shared-memory.js';

/** What a thread of the test is started with. */
export interface RowThread {
  readonly handle: SharedMemoryHandle;
  readonly thread: number;
  readonly slots: readonly number[];
  /** churn: counts up and down without end. answer: counts a request in flight when it is called. */
  readonly work: 'churn' | 'answer';
}

const { handle, thread, slots, work } = workerData as RowThread;
const rows = slots.map((slot) => SharedMemory.attach(handle, thread).servers.row(slot));

/** Everything that a thread counts, in an order that differs from round to round. */
async function churn(): Promise<void> {
  for (let round = 0; ; round++) {
    for (let i = 0; i < 1000; i++) {
      for (const row of rows) {
        const { memory, all, own } = row;
        Atomics.add(memory, all + ACTIVE, 1);
        memory[own + ACTIVE]!++;
        const isOpen = row.takePlace(2);
        if (isOpen && i % 3 === 0) row.addClosing(1);
        const isInLine = !isOpen && row.joinLine(2, 1000);
        if (isInLine) row.setLine(2, 1000 + i);
        if (isInLine) row.setLine(0, 0);
        if (isOpen && i % 3 === 0) row.addClosing(-1);
        if (isOpen) row.givePlace();
        if (i % 2 === 0) row.endTrial(row.takeTrial());
        Atomics.sub(memory, all + ACTIVE, 1);
        memory[own + ACTIVE]!--;
      }
    }
    if (round === 0) parentPort?.postMessage('begun');
    // What the parent posts, and its wish to end the thread, come in between.
    await pause(0);
  }
}

if (work === 'churn') {
  void churn();
} else {
  for (const row of rows) row.listen({ onCall: () => row.addPlace() });
  parentPort?.on('message', () => {});
  parentPort?.postMessage('begun');
}
