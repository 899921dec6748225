import fc from 'fast-check';
import t from 'tap';
import { RetryBudget } from '../../lib/exchange/retries.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { deadAddress, origin, readRequest } from '../support/origin.js';

const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';

const SHARED = SharedMemory.create();
let made = 0;

function budgetOf(share: number): RetryBudget {
  return new RetryBudget(share, SHARED.clients.retries, `group ${made++}`);
}

/** Takes all retries that are left; returns their number. */
function drain(budget: RetryBudget, now: number): number {
  let taken = 0;
  while (taken < 10_000 && budget.take(now)) taken++;
  return taken;
}

t.test('the retry budget is a share of the requests of ten seconds, plus three per second', async (t) => {
  const budget = budgetOf(0.2);
  t.equal(drain(budget, 5000), 30);
  for (let i = 0; i < 100; i++) budget.countRequest(5900);
  t.equal(drain(budget, 5900), 20);
  t.equal(drain(budget, 14_999), 0, 'the window still holds all retries');
  t.equal(drain(budget, 15_000), 30, 'the retries have left the window, with the requests');
});

t.test('the window of the retry budget slides', async (t) => {
  const budget = budgetOf(0.5);
  for (let second = 0; second < 10; second++)
    for (let i = 0; i < 20; i++) budget.countRequest(second * 1000 + 500);
  t.equal(drain(budget, 9500), 130);
  t.equal(drain(budget, 10_500), 0, 'fewer requests, and as many retries as before');
  for (let second = 11; second < 19; second++) t.equal(drain(budget, second * 1000), 0);
  t.equal(drain(budget, 19_500), 30, 'all of them have left the window');
});

t.test('after a long silence the retry budget has forgotten everything', async (t) => {
  const budget = budgetOf(1);
  for (let i = 0; i < 1000; i++) budget.countRequest(0);
  t.equal(drain(budget, 1e9), 30);
});

t.test('the retry budget allows retries exactly while its window has room', async () => {
  const step = fc.record({ ms: fc.nat(3000), requests: fc.nat(50), retries: fc.nat(80) });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, fc.array(step, { maxLength: 60 }), (share, steps) => {
      const budget = budgetOf(share);
      const requests: number[] = [];
      const taken: number[] = [];
      let now = 0;
      for (const { ms, requests: arrived, retries } of steps) {
        now += ms;
        for (let i = 0; i < arrived; i++) {
          budget.countRequest(now);
          requests.push(now);
        }
        const since = (Math.floor(now / 1000) - 9) * 1000;
        const inWindow = (times: number[]): number => times.filter((time) => time >= since).length;
        for (let i = 0; i < retries; i++) {
          const allowed = inWindow(taken) + 1 <= inWindow(requests) * share + 30;
          if (budget.take(now) !== allowed) return false;
          if (allowed) taken.push(now);
        }
      }
      return true;
    }),
  );
});

t.test('servers that reset every request get at most a fifth more requests, plus thirty', async (t) => {
  let received = 0;
  const resetting = () =>
    origin(t, async (connection) => {
      await readRequest(connection);
      received++;
      connection.reset();
    });
  const servers = [await resetting(), await resetting(), await resetting()];
  // Without ejection, which would leave them out at once: the budget is the last limit.
  const settings = { servers: servers.map(({ address }) => address), passive_health: false };
  const { connect, seen } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  const requests = 200;
  for (let i = 0; i < requests; i++) {
    client.send(GET);
    t.equal((await client.response()).status, 502);
  }
  t.equal(received, requests * 1.2 + 30);
  const reasons = new Set(seen.requests.map(({ reason }) => reason));
  t.strictSame(reasons, new Set(['reset_before_response', 'retry_budget']));
  const last = seen.requests.at(-2);
  t.match(last, { reason: 'retry_budget', attempts: 1, detail: /^reset_before_response ECONNRESET$/ });
  t.strictSame(
    last?.tries.map(({ reason }) => reason),
    ['reset_before_response'],
  );
});

t.test('an answer that is not retried because of the budget is marked in the record', async (t) => {
  let received = 0;
  const busy = () =>
    origin(t, async (connection) => {
      for (;;) {
        await readRequest(connection);
        received++;
        await connection.write(BUSY);
      }
    });
  const servers = [await busy(), await busy()];
  const settings = {
    servers: servers.map(({ address }) => address),
    retry: { on: [503], budget: '0%' },
    passive_health: false,
  };
  const { connect, seen, clock } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  const ask = async (): Promise<void> => {
    client.send(GET);
    // The third attempt asks the first server again, after a moment.
    const answer = client.response();
    await until(
      () => seen.requests.length >= sent,
      `request ${sent} is answered`,
      () => {
        clock.advance(1);
        return turns(1);
      },
    );
    t.equal((await answer).status, 503);
  };
  let sent = 1;
  for (; sent <= 25; sent++) await ask();
  t.ok(received > 25 && received <= 25 + 30 * (1 + clock.now() / 10_000));
  const { reason, detail, status, tries } = await seen.request(25);
  t.strictSame({ reason, detail, status }, { reason: 'retry_budget', detail: 'status 503', status: 503 });
  t.strictSame(
    tries.map(({ reason, status }) => [reason, status]),
    [['', 503]],
  );
});

t.test('budget: false sets no limit, and attempts that sent nothing are not limited', async (t) => {
  for (const [server, budget] of [
    ['resets', false],
    ['refuses', '0%'],
  ] as const) {
    const bad = await origin(t, async (connection) => {
      await readRequest(connection);
      connection.reset();
    });
    const good = await origin(t, async (connection) => {
      for (;;) {
        await readRequest(connection);
        await connection.write(OK);
      }
    });
    const first = server === 'resets' ? bad.address : await deadAddress();
    const settings = { servers: [first, good.address], retry: { budget }, passive_health: false };
    const { connect, seen } = await startBalancer(t, settings, { manual: true });
    const client = await connect();
    for (let i = 0; i < 100; i++) {
      client.send(GET);
      t.equal((await client.response()).status, 200);
    }
    t.ok(seen.requests.filter(({ attempts }) => attempts === 2).length > 35, server);
  }
});

nothingIsLeft(t);
