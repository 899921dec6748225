import fc from 'fast-check';
import t from 'tap';
import { FAILURES } from '../../lib/base/failure.js';
import type { Reason } from '../../lib/base/observer.js';
import type { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { RequestContext } from '../../lib/exchange/context.js';
import { Replay } from '../../lib/exchange/relay.js';
import {
  type AttemptState,
  decideRetry,
  decideStatusRetry,
  Retries,
  type RetryDecision,
  type RetryTerms,
} from '../../lib/exchange/retries.js';

const FIRST: AttemptState = {
  repeatable: true,
  replayable: true,
  clientSawResponse: false,
  pooledConnection: false,
  replacedStale: false,
  attempts: 1,
};
const TERMS: RetryTerms = {
  attempts: 1,
  onConnect: true,
  onStale: true,
  onReset: true,
  onTimeout: false,
  retriesStatus: () => false,
};

function decide(
  reason: Reason,
  state: Partial<AttemptState> = {},
  terms: Partial<RetryTerms> = {},
): RetryDecision {
  return decideRetry(FAILURES[reason], { ...FIRST, ...state }, { ...TERMS, ...terms });
}

const NOTHING_SENT = [
  'connect_refused',
  'connect_timeout',
  'connect_failed',
  'out_of_resources',
  'server_gone',
  'queue_full',
] as const;

t.test('if nothing was sent, another server is tried, whatever the method', async (t) => {
  for (const reason of NOTHING_SENT) {
    t.equal(decide(reason), 'retry', reason);
    t.equal(decide(reason, { repeatable: false, replayable: false }), 'retry', reason);
    t.equal(decide(reason, {}, { onConnect: false }), 'no', reason);
  }
});

t.test('a failed handshake is retried, unless a part of the body was sent that is not kept', async (t) => {
  t.equal(decide('tls_failed', { repeatable: false }), 'retry');
  t.equal(decide('tls_failed', { repeatable: false, replayable: false }), 'no');
  t.equal(decide('tls_failed', {}, { onConnect: false }), 'no');
});

t.test(
  'if the server may have acted on a request, only an idempotent one with its body kept is retried',
  async (t) => {
    t.equal(decide('reset_before_response'), 'retry');
    t.equal(decide('reset_before_response', { repeatable: false }), 'no');
    t.equal(decide('reset_before_response', { replayable: false }), 'no');
    t.equal(decide('reset_before_response', {}, { onReset: false }), 'no');
  },
);

t.test('if the replacement of a stale connection is stale too, another server is tried', async (t) => {
  const twice = { pooledConnection: true, replacedStale: true };
  t.equal(decide('reset_before_response', twice, { onReset: false }), 'retry');
  t.equal(decide('reset_before_response', { ...twice, attempts: 2 }, { onReset: false }), 'no');
  t.equal(decide('reset_before_response', { ...twice, repeatable: false }), 'no');
  t.equal(decide('reset_before_response', twice, { onReset: false, onStale: false }), 'no');
});

t.test(
  'an answer cut in its head is retried like a missing one, but not as a stale connection',
  async (t) => {
    t.equal(decide('reset_in_response'), 'retry');
    t.equal(decide('reset_in_response', { pooledConnection: true }), 'retry');
    t.equal(decide('reset_in_response', { pooledConnection: true }, { onReset: false }), 'no');
    t.equal(decide('reset_in_response', { clientSawResponse: true }), 'no', 'its head was complete');
    t.equal(decide('reset_in_response', { repeatable: false }), 'no');
  },
);

t.test('a timeout is retried only if the route says so', async (t) => {
  t.equal(decide('response_timeout'), 'no');
  t.equal(decide('response_timeout', {}, { onTimeout: true }), 'retry');
  t.equal(decide('response_timeout', { repeatable: false }, { onTimeout: true }), 'no');
});

t.test('a stale connection is replaced once, by a new one to the same server', async (t) => {
  const stale = { pooledConnection: true };
  t.equal(decide('reset_before_response', stale), 'fresh');
  t.equal(
    decide('reset_before_response', { ...stale, attempts: 2 }),
    'fresh',
    'the replacement is no attempt',
  );
  t.equal(decide('reset_before_response', stale, { attempts: 0 }), 'fresh');
  t.equal(decide('reset_before_response', { ...stale, replacedStale: true }), 'retry');
  t.equal(decide('reset_before_response', { ...stale, replacedStale: true, attempts: 2 }), 'no');
  t.equal(decide('reset_before_response', { ...stale, repeatable: false }), 'no');
  t.equal(decide('reset_before_response', { ...stale, replayable: false }), 'no');
  t.equal(
    decide('reset_before_response', stale, { onStale: false }),
    'retry',
    'it counts as any other reset',
  );
  t.equal(decide('reset_before_response', stale, { onStale: false, onReset: false }), 'no');
});

t.test(
  'the same server is asked again after 50 ms, 100 ms, then 250 ms, each up to half as long',
  async (t) => {
    const pauses = Array.from({ length: 300 }, () => {
      const retries = new Retries(new Replay(), {} as TimerWheel, {} as RequestContext);
      return [retries.pause(), retries.pause(), retries.pause(), retries.pause()];
    });
    for (const [index, longest] of [50, 100, 200, 250].entries()) {
      const times = pauses.map((pause) => pause[index] as number);
      t.ok(Math.max(...times) <= longest && Math.min(...times) >= longest / 2, `${longest} ms`);
      t.ok(Math.max(...times) - Math.min(...times) > longest / 3, 'requests that failed together are spread');
    }
  },
);

t.test('the number of attempts is limited', async (t) => {
  t.equal(decide('connect_refused', { attempts: 2 }), 'no');
  t.equal(decide('connect_refused', { attempts: 2 }, { attempts: 2 }), 'retry');
  t.equal(decide('connect_refused', { attempts: 1 }, { attempts: 0 }), 'no');
});

t.test('a status is retried if the route names it and the request is idempotent', async (t) => {
  const terms = { ...TERMS, retriesStatus: (status: number) => status === 503 };
  t.equal(decideStatusRetry(503, FIRST, terms), true);
  t.equal(decideStatusRetry(502, FIRST, terms), false);
  for (const state of [
    { repeatable: false },
    { replayable: false },
    { clientSawResponse: true },
    { attempts: 2 },
  ])
    t.equal(decideStatusRetry(503, { ...FIRST, ...state }, terms), false, JSON.stringify(state));
});

t.test('a request that must not be sent twice is not, in any state and with any retry settings', async () => {
  const attemptState = fc.record({
    repeatable: fc.boolean(),
    replayable: fc.boolean(),
    clientSawResponse: fc.boolean(),
    pooledConnection: fc.boolean(),
    replacedStale: fc.boolean(),
    attempts: fc.integer({ min: 1, max: 12 }),
  });
  const anyTerms = fc.record({
    attempts: fc.integer({ min: 0, max: 10 }),
    onConnect: fc.boolean(),
    onStale: fc.boolean(),
    onReset: fc.boolean(),
    onTimeout: fc.boolean(),
    retriesStatus: fc.constantFrom(
      () => true,
      () => false,
    ),
  });
  const anyFailure = fc.constantFrom(...Object.values(FAILURES));
  const isCovered = (reason: Reason, state: AttemptState, terms: RetryTerms): boolean => {
    if (reason === 'reset_before_response') return terms.onReset || (terms.onStale && state.pooledConnection);
    if (reason === 'reset_in_response') return terms.onReset;
    if (reason === 'response_timeout') return terms.onTimeout;
    return (
      (reason === 'tls_failed' || (NOTHING_SENT as readonly Reason[]).includes(reason)) && terms.onConnect
    );
  };
  fc.assert(
    fc.property(anyFailure, attemptState, anyTerms, (failure, state, terms) => {
      const decision = decideRetry(failure, state, terms);
      const status = decideStatusRetry(503, state, terms);
      const isUnsent = (NOTHING_SENT as readonly Reason[]).includes(failure.reason);
      const isSecuring = failure.reason === 'tls_failed' && state.replayable;
      const isSafe = isUnsent || isSecuring || (state.repeatable && state.replayable);
      if (state.clientSawResponse && (decision !== 'no' || status)) return false;
      if (status && !(state.repeatable && state.replayable)) return false;
      if (decision === 'fresh')
        return (
          failure.reason === 'reset_before_response' &&
          terms.onStale &&
          state.pooledConnection &&
          !state.replacedStale &&
          isSafe
        );
      const may = isSafe && isCovered(failure.reason, state, terms) && state.attempts <= terms.attempts;
      // A safe request that the settings cover is retried.
      return decision === 'retry' ? may : state.clientSawResponse || !may;
    }),
    { numRuns: 5000 },
  );
});
