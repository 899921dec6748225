import { Worker } from 'node:worker_threads';
import {
  type AcmeAnswers,
  AcmeError,
  type AcmeProblem,
  type AcmeThreadSettings,
  type AcmeWork,
  type ChallengeOffer,
  type FromThread,
  type ToThread,
} from './acme-protocol.js';

/** Puts challenges where the authority looks for them. */
export type Offer = (offers: readonly ChallengeOffer[]) => Promise<void>;

interface Pending {
  readonly resolve: (answer: AcmeAnswers[keyof AcmeAnswers]) => void;
  readonly reject: (error: AcmeError) => void;
  readonly offer: Offer | null;
}

/**
 * The thread that speaks ACME: loading the client takes 400 ms, and making keys and certificates some ms each, during
 * which no request would be served. It is started for the first work and ended by `rest`; it does not keep the process
 * running.
 */
export class AcmeThread {
  readonly #settings: AcmeThreadSettings;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;
  #isStopped = false;

  constructor(settings: AcmeThreadSettings) {
    this.#settings = settings;
  }

  /** Rejects with an AcmeError. `offer` is called for an order that has to prove something. */
  do<Work extends AcmeWork>(work: Work, offer: Offer | null = null): Promise<AcmeAnswers[Work['kind']]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject, offer });
      try {
        this.#send({ kind: 'work', id, work });
      } catch (error) {
        // The constructor throws where threads are not allowed (`node --permission`).
        this.#end(`no thread could be started: ${(error as Error).message}`);
      }
    });
  }

  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /** Ends the thread while there is no work for it: it holds 40 MB. */
  rest(): void {
    if (!this.isBusy) this.#end('');
  }

  /** Final: work that is not done rejects. */
  stop(): void {
    this.#isStopped = true;
    this.#end('stopped');
  }

  #send(message: ToThread): void {
    if (this.#isStopped) {
      this.#end('stopped');
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./acme-worker.js', import.meta.url), {
      workerData: this.#settings,
      // Options such as --test are not for this thread.
      execArgv: [],
    });
    worker.unref();
    const onEnd = (why: string): void => {
      if (this.#worker === worker) this.#end(`the thread that speaks ACME ended: ${why}`);
    };
    worker.on('message', (message: FromThread) => this.#onMessage(message));
    worker.on('error', (error: unknown) => onEnd(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => onEnd(`exit code ${code}`));
    return worker;
  }

  #onMessage(message: FromThread): void {
    const { id } = message;
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (message.kind === 'offers') {
      void this.#offer(id, pending, message.offers);
      return;
    }
    this.#pending.delete(id);
    if (message.kind === 'done') pending.resolve(message.answer);
    else pending.reject(new AcmeError(message.problem));
  }

  async #offer(id: number, { offer, reject }: Pending, offers: readonly ChallengeOffer[]): Promise<void> {
    try {
      await offer?.(offers);
    } catch (error) {
      this.#pending.delete(id);
      reject(new AcmeError(localProblem((error as Error).message)));
      return;
    }
    if (this.#pending.has(id)) this.#send({ kind: 'offered', id });
  }

  #end(why: string): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
    for (const { reject } of this.#pending.values()) reject(new AcmeError(localProblem(why)));
    this.#pending.clear();
  }
}

function localProblem(message: string): AcmeProblem {
  return { type: 'internal', message, retryAfterMs: 0 };
}
