import { Worker } from 'node:worker_threads';
import type { Address } from '../base/address.js';
import type { ListeningSocket } from '../net/listeners.js';
import type { Command, Question, Report, ServerReports, ThreadStart } from './messages.js';
import { receiveError } from './sent-error.js';

/** The thread that was asked has ended. */
export class ThreadEnded extends Error {}

/** Called for what a thread reports, and for its end. */
export interface ThreadListener {
  /** What an engine reports about its servers. */
  onServerReports(thread: WorkerThread, reports: ServerReports): void;
  /** The thread has ended; `reason`: why, in a few words. */
  onEnd(thread: WorkerThread, reason: string): void;
}

type Done = Extract<Report, { what: 'done' }>;

interface Asked {
  resolve(answer: Done): void;
  reject(error: Error): void;
}

const UNKNOWN = 'it ended by itself';

/** One worker thread, as the main thread sees it. */
export class WorkerThread {
  /** From 1. */
  readonly number: number;
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #reason = '';
  #hasEnded = false;
  #onBuilt: () => void = () => {};
  /** Resolves when its configuration has been built; rejects with a ThreadEnded. */
  readonly built: Promise<void>;
  #refuse: (error: Error) => void = () => {};
  /** Does it listen? */
  isOpen = false;

  /** `heapMb`: more memory for objects ends the thread. */
  constructor(start: ThreadStart, heapMb: number, listener: ThreadListener) {
    this.number = start.thread;
    this.built = new Promise((resolve, reject) => {
      this.#onBuilt = resolve;
      this.#refuse = reject;
    });
    // Nobody may be waiting for it.
    this.built.catch(() => {});
    this.#worker = new Worker(new URL('./engine-worker.js', import.meta.url), {
      workerData: start,
      transferList: [start.configuration.port, start.reports.port],
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
      name: `lb engine ${start.thread}`,
    });
    this.#worker.on('message', (report: Report) => this.#onReport(report, listener));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason = reasonOf(error);
    });
    this.#worker.on('messageerror', (error) => {
      this.#reason = error.message;
      void this.end();
    });
    this.#worker.on('exit', () => this.#onExit(listener));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  #onReport(report: Report, listener: ThreadListener): void {
    switch (report.what) {
      case 'built':
        this.#onBuilt();
        break;
      case 'done':
        this.#take(report.id)?.resolve(report);
        break;
      case 'failed':
        this.#take(report.id)?.reject(receiveError(report.error));
        break;
      case 'servers':
        listener.onServerReports(this, report);
    }
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }

  #onExit(listener: ThreadListener): void {
    this.#hasEnded = true;
    const reason = this.#reason === '' ? UNKNOWN : this.#reason;
    const error = new ThreadEnded(`thread ${this.number} has ended: ${reason}`);
    this.#refuse(error);
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    listener.onEnd(this, reason);
  }

  tell(command: Exclude<Command, { id: number }>): void {
    this.#worker.postMessage(command);
  }

  /** Resolves with the answer: addresses of listeners, or none. Rejects with the error of the thread, or a ThreadEnded. */
  async ask(question: Question): Promise<readonly Address[]> {
    return (await this.#ask(question)).addresses;
  }

  /** What another process needs to go on with its sockets; null: their descriptors are not known. Rejects as `ask`. */
  async sockets(): Promise<readonly ListeningSocket[] | null> {
    return (await this.#ask({ what: 'sockets' })).sockets;
  }

  #ask(question: Question): Promise<Done> {
    if (this.#hasEnded) return Promise.reject(new ThreadEnded(`thread ${this.number} has ended`));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      const transfer = question.what === 'prepare' ? [question.configuration.port] : [];
      this.#worker.postMessage({ ...question, id }, transfer);
    });
  }

  /** Ends it at once, whatever it does. `reason`: why, in a few words. */
  async end(reason = ''): Promise<void> {
    if (this.#reason === '') this.#reason = reason;
    await this.#worker.terminate();
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out of memory';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
