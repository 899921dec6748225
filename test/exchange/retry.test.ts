import t from 'tap';
import { FAILURES } from '../../lib/base/failure.js';
import type { Reason } from '../../lib/base/observer.js';
import { type AttemptState, decideRetry, type RetryDecision } from '../../lib/exchange/retry.js';

const FIRST: AttemptState = {
  failure: FAILURES.connect_refused,
  idempotent: true,
  replayable: true,
  clientSawResponse: false,
  pooledConnection: false,
  replacedStale: false,
  attempts: 1,
  maxAttempts: 2,
};

function decide(reason: Reason, state: Partial<AttemptState> = {}): RetryDecision {
  return decideRetry({ ...FIRST, failure: FAILURES[reason], ...state });
}

t.test('when nothing was sent another server is tried, whatever the method', async (t) => {
  for (const reason of ['connect_refused', 'connect_timeout', 'connect_failed', 'queue_full'] as const) {
    t.equal(decide(reason), 'other', reason);
    t.equal(decide(reason, { idempotent: false, replayable: false }), 'other', reason);
  }
});

t.test(
  'when it may have been acted upon only an idempotent request whose body is still there is',
  async (t) => {
    t.equal(decide('reset_before_response'), 'other');
    t.equal(decide('reset_before_response', { idempotent: false }), 'no');
    t.equal(decide('reset_before_response', { replayable: false }), 'no');
  },
);

t.test('a connection that had gone stale is replaced once, by a fresh one to the same server', async (t) => {
  const stale = { pooledConnection: true };
  t.equal(decide('reset_before_response', stale), 'fresh');
  t.equal(decide('reset_before_response', { ...stale, attempts: 2 }), 'fresh', 'it is no attempt of its own');
  t.equal(decide('reset_before_response', { ...stale, replacedStale: true }), 'other');
  t.equal(decide('reset_before_response', { ...stale, replacedStale: true, attempts: 2 }), 'no');
  t.equal(decide('reset_before_response', { ...stale, idempotent: false }), 'no');
  t.equal(decide('reset_before_response', { ...stale, replayable: false }), 'no');
});

t.test('nothing is tried again once the client saw any of an answer', async (t) => {
  for (const failure of Object.values(FAILURES)) {
    for (const pooledConnection of [false, true])
      t.equal(decide(failure.reason, { clientSawResponse: true, pooledConnection }), 'no', failure.reason);
  }
});

t.test('attempts are bounded', async (t) => {
  t.equal(decide('connect_refused', { attempts: 2 }), 'no');
  t.equal(decide('connect_refused', { attempts: 2, maxAttempts: 3 }), 'other');
  t.equal(decide('connect_refused', { attempts: 1, maxAttempts: 1 }), 'no');
});

t.test('no other failure is tried again', async (t) => {
  const retried = [
    'connect_refused',
    'connect_timeout',
    'connect_failed',
    'queue_full',
    'reset_before_response',
  ];
  for (const { reason } of Object.values(FAILURES)) {
    if (!retried.includes(reason)) t.equal(decide(reason, { pooledConnection: true }), 'no', reason);
  }
});
