import { parentPort, workerData } from 'node:worker_threads';
import type { AcmeAuthority } from './acme-authority.js';
import {
  type AcmeAnswers,
  AcmeError,
  type AcmeThreadSettings,
  type AcmeWork,
  type ChallengeOffer,
  type FromThread,
  type ToThread,
} from './acme-protocol.js';
import { selfSigned } from './self-signed.js';

let authority: Promise<AcmeAuthority> | null = null;
/** Orders that wait until their challenges can be asked for. */
const waiting = new Map<number, () => void>();

function post(message: FromThread): void {
  parentPort?.postMessage(message);
}

async function answerOf(id: number, work: AcmeWork): Promise<AcmeAnswers[AcmeWork['kind']]> {
  if (work.kind === 'self_sign') return selfSigned(work.names);
  authority ??= loadAuthority();
  const loaded = await authority;
  switch (work.kind) {
    case 'register':
      return loaded.register(work);
    case 'order':
      return loaded.order(work, (offers) => offered(id, offers));
    case 'window':
      return loaded.window(work.cert);
  }
}

/** Loaded when it is needed first: the balancer waits for self-signed certificates, and this takes three times as long. */
async function loadAuthority(): Promise<AcmeAuthority> {
  const { AcmeAuthority } = await import('./acme-authority.js');
  return new AcmeAuthority(workerData as AcmeThreadSettings);
}

function offered(id: number, offers: readonly ChallengeOffer[]): Promise<void> {
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    post({ kind: 'offers', id, offers });
  });
}

async function run(id: number, work: AcmeWork): Promise<void> {
  try {
    post({ kind: 'done', id, answer: await answerOf(id, work) });
  } catch (error) {
    const { message } = error as Error;
    // Anything else is no word of the authority: a library that cannot be loaded, say.
    const problem =
      error instanceof AcmeError ? error.problem : { type: 'internal', message, retryAfterMs: 0 };
    post({ kind: 'failed', id, problem });
  }
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'work') {
    void run(message.id, message.work);
    return;
  }
  waiting.get(message.id)?.();
  waiting.delete(message.id);
});
