import fc from 'fast-check';
import t from 'tap';
import { WorkBudget } from '../../lib/base/work-budget.js';
import type { RateLimitConfig } from '../../lib/config/types.js';
import type { FirewallRefusal } from '../../lib/firewall/guard.js';
import { RateLimit } from '../../lib/firewall/rate-limit.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { viewOf } from '../http/heads.js';
import { ManualClock } from '../support/manual-clock.js';
import { ip } from './support.js';

interface Limited {
  readonly limit: RateLimit;
  /** Buckets that are not full. */
  buckets(): number;
  readonly clock: ManualClock;
  /** A request of a client, with these fields. */
  ask(client: string, ...fields: readonly string[]): FirewallRefusal | null;
}

function limited(config: Partial<RateLimitConfig>): Limited {
  const clock = new ManualClock();
  const settings = {
    requests: 10,
    per: 1000,
    burst: 3,
    key: { kind: 'client_ip' },
    status: 429,
    ...config,
  } as const;
  const { clients } = SharedMemory.create();
  const limit = new RateLimit(settings, clock, clients, ['rules']);
  const buckets = (): number => clients.rates.countAt(clock.now());
  return { limit, buckets, clock, ask: (client, ...fields) => limit.judge(viewOf('/', fields), ip(client)) };
}

t.test('a burst passes, the next is refused until a token has flowed in', async (t) => {
  const { ask, clock } = limited({});
  for (let i = 0; i < 3; i++) t.equal(ask('192.0.2.1'), null);
  t.equal(ask('192.0.2.1')?.status, 429);
  clock.advance(99);
  t.equal(ask('192.0.2.1')?.status, 429);
  clock.advance(1);
  t.equal(ask('192.0.2.1'), null);
  t.equal(ask('192.0.2.1')?.status, 429);
});

t.test('a bucket never holds more than its burst', async (t) => {
  const { ask, clock } = limited({});
  ask('192.0.2.1');
  clock.advance(3_600_000);
  for (let i = 0; i < 3; i++) t.equal(ask('192.0.2.1'), null);
  t.equal(ask('192.0.2.1')?.status, 429);
});

t.test('a rate that is no round number loses no token', async (t) => {
  const { ask, clock } = limited({ requests: 3, per: 1000, burst: 3 });
  let passed = 0;
  for (let ms = 0; ms <= 60_000; ms += 10) {
    if (ask('192.0.2.1') === null) passed++;
    clock.advance(10);
  }
  t.equal(passed, 3 + 180);
});

t.test('a refusal says when to come back, what the policy is, and what is left', async (t) => {
  const { ask } = limited({ requests: 100, per: 60_000, burst: 1, status: 503 });
  ask('192.0.2.1');
  t.same(ask('192.0.2.1'), {
    status: 503,
    fields: 'Retry-After: 1\r\nRateLimit-Policy: "default";q=100;w=60\r\nRateLimit: "default";r=0;t=1\r\n',
  });
  const slow = limited({ requests: 1, per: 60_000, burst: 1 });
  slow.ask('192.0.2.1');
  t.match(slow.ask('192.0.2.1')?.fields, /^Retry-After: 60\r\nRateLimit-Policy: "default";q=1;w=60\r\n/);
  slow.clock.advance(17_001);
  t.match(slow.ask('192.0.2.1')?.fields, /^Retry-After: 43\r\n.*;t=43\r\n$/s);
  slow.clock.advance(43_000);
  t.equal(slow.ask('192.0.2.1'), null);
});

t.test(
  'a client that returns after Retry-After is let in, and Retry-After is at least a second',
  async (t) => {
    const { ask, clock } = limited({ requests: 7, per: 10_000, burst: 1 });
    ask('192.0.2.1');
    const seconds = Number(/Retry-After: (\d+)/.exec(ask('192.0.2.1')?.fields ?? '')?.[1]);
    t.equal(seconds, 2);
    clock.advance(seconds * 1000);
    t.equal(ask('192.0.2.1'), null);
  },
);

t.test('RateLimit-Policy states a period in whole seconds', async (t) => {
  for (const [requests, per, policy] of [
    [50, 500, 'q=100;w=1'],
    [3, 1500, 'q=4;w=2'],
    [1, 100, 'q=10;w=1'],
  ] as const) {
    const { ask } = limited({ requests, per, burst: 1 });
    ask('192.0.2.1');
    t.match(ask('192.0.2.1')?.fields, `RateLimit-Policy: "default";${policy}\r\n`);
  }
});

t.test('each client has its own bucket; an IPv6 client is a /64', async (t) => {
  const { ask } = limited({ burst: 1 });
  t.equal(ask('192.0.2.1'), null);
  t.equal(ask('192.0.2.2'), null);
  t.equal(ask('::ffff:192.0.2.1')?.status, 429);
  t.equal(ask('2001:db8:0:1::1'), null);
  t.equal(ask('2001:db8:0:1:ffff::2')?.status, 429);
  t.equal(ask('2001:db8:0:2::1'), null);
});

t.test('a header or a cookie makes the client, wherever it comes from', async (t) => {
  const byHeader = limited({ burst: 1, key: { kind: 'header', name: 'x-api-key' } });
  t.equal(byHeader.ask('192.0.2.1', 'X-Api-Key: one'), null);
  t.equal(byHeader.ask('192.0.2.2', 'x-api-key: one')?.status, 429);
  t.equal(byHeader.ask('192.0.2.2', 'X-Api-Key: two'), null);
  const byCookie = limited({ burst: 1, key: { kind: 'cookie', name: 'sid' } });
  t.equal(byCookie.ask('192.0.2.1', 'Cookie: a=b; sid=one'), null);
  t.equal(byCookie.ask('192.0.2.2', 'Cookie: sid=one')?.status, 429);
});

t.test('without the header it is the address, which no header can name', async (t) => {
  const { ask } = limited({ burst: 1, key: { kind: 'header', name: 'x-api-key' } });
  t.equal(ask('192.0.2.9', 'X-Api-Key: 192.0.2.1'), null);
  t.equal(ask('192.0.2.1'), null);
  t.equal(ask('192.0.2.1', 'X-Api-Key:')?.status, 429);
});

t.test('long keys that differ at their ends are different', async (t) => {
  const { ask } = limited({ burst: 1, key: { kind: 'header', name: 'x-api-key' } });
  const long = 'a'.repeat(4000);
  t.equal(ask('192.0.2.1', `X-Api-Key: ${long}1`), null);
  t.equal(ask('192.0.2.1', `X-Api-Key: ${long}2`), null);
  t.equal(ask('192.0.2.1', `X-Api-Key: ${long}1`)?.status, 429);
});

t.test('a flood of keys takes bounded memory, and an active client keeps its bucket', async (t) => {
  const { limit, buckets, ask } = limited({
    requests: 1,
    per: 3_600_000,
    burst: 1,
    key: { kind: 'header', name: 'k' },
  });
  ask('192.0.2.1', 'K: busy');
  let n = 0;
  const flood = {
    method: 'GET',
    path: '/',
    rawPath: '/',
    pathProblem: null,
    budget: new WorkBudget(),
    spellings: () => [`k${n}`],
    received: () => [],
    cookie: () => [],
  };
  for (; n < 300_000; n++) {
    limit.judge(flood, ip('192.0.2.1'));
    if (n % 10_000 === 0) t.equal(ask('192.0.2.1', 'K: busy')?.status, 429);
  }
  t.ok(buckets() <= 400_000, `${buckets()} buckets`);
  t.ok(buckets() >= 50_000, `${buckets()} buckets`);
});

t.test('buckets that are full again are forgotten', async (t) => {
  const { buckets, clock, ask } = limited({ requests: 1, per: 1000, burst: 5 });
  for (let i = 0; i < 100; i++) ask(`192.0.2.${i}`);
  t.equal(buckets(), 100);
  for (let i = 0; i < 3; i++) {
    clock.advance(5000);
    ask('198.51.100.1');
  }
  t.equal(buckets(), 1);
});

t.test('no client ever gets more than the burst and what flowed in', async () => {
  const settings = fc.record({
    requests: fc.integer({ min: 1, max: 50 }),
    per: fc.integer({ min: 1, max: 5000 }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  const pauses = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3000, noNaN: true })), {
    maxLength: 150,
  });
  fc.assert(
    fc.property(settings, pauses, (config, waits) => {
      const { ask, clock } = limited(config);
      const passes: number[] = [];
      for (const wait of waits) {
        clock.advance(wait);
        if (ask('192.0.2.1') === null) passes.push(clock.now());
      }
      // From any request that passed to any later one.
      return passes.every((from, i) =>
        passes.every(
          (to, j) => j < i || j - i + 1 <= config.burst + ((to - from) * config.requests) / config.per + 1e-6,
        ),
      );
    }),
    { numRuns: 200 },
  );
});

t.test('a client that asks no faster than the rate is never refused', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 5000 }), (requests, per) => {
      const { ask, clock } = limited({ requests, per, burst: 1 });
      return Array.from({ length: 100 }).every(() => {
        clock.advance(per / requests);
        return ask('192.0.2.1') === null;
      });
    }),
    { numRuns: 100 },
  );
});
