import t, { type Test } from 'tap';
import { answering, type RawServer } from '../../fixtures/raw-server.js';
import type { Failure } from '../../lib/base/failure.js';
import type { BodyForm } from '../../lib/http/flow.js';
import type { Lease, LeaseListener, PoolLimits, ResponseListener } from '../../lib/servers/contracts.js';
import type { Pool } from '../../lib/servers/pool.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { startDeafServer } from '../support/deaf-server.js';
import { OK } from '../support/http.js';
import { turns, until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';
import { createPool, poolSupplies } from '../support/pool.js';

/** A request, which may go on or end when the test says so. */
class Request implements LeaseListener, ResponseListener {
  readonly isPipelinable = false;
  readonly client = null;
  readonly droppedTrailers = null;
  lease: Lease | null = null;
  failure: Failure | null = null;
  isAnswered = false;

  constructor(pool: Pool) {
    const lease = pool.lease(this);
    if (lease !== null) this.onLease(lease);
  }

  onLease(lease: Lease): void {
    this.lease = lease;
    lease.assign(this, false);
  }

  onLeaseFailed(failure: Failure): void {
    this.failure = failure;
  }

  /** Asks the server, and waits for the answer. */
  async answered(): Promise<void> {
    await until(() => this.lease !== null);
    this.lease?.channel.writeText('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => this.isAnswered);
  }

  onResponseHead(): BodyForm {
    return 'wire';
  }

  onResponseEnd(): void {
    this.isAnswered = true;
  }

  onFailed(failure: Failure): void {
    this.failure = failure;
  }

  onInterim(): void {}
  onBodyBytes(): void {}
  onTrailers(): void {}
  onSwitch(): boolean {
    return false;
  }
  onTunnelBytes(): void {}
  onTunnelEnd(): void {}
  onServerBlocked(): void {}
  onServerDrain(): void {}
}

/** The pools of two threads for one server, here in one thread, and the row as a third thread sees it. */
async function twoPools(t: Test, limits: Partial<PoolLimits>, address?: string) {
  const server: RawServer | null = address === undefined ? await origin(t, answering(OK)) : null;
  const deps = poolSupplies(t);
  const memory = SharedMemory.create(4);
  const slot = memory.servers.claim();
  const to = server?.address ?? (address as string);
  const poolOf = (thread: number): Pool => {
    const shared = SharedMemory.attach(memory.handle, thread);
    return createPool(t, to, limits, { ...deps, shared }, slot);
  };
  const [one, other] = [poolOf(1), poolOf(2)];
  const third = SharedMemory.attach(memory.handle, 3).servers.row(slot);
  return { one, other, poolOf, third, row: memory.servers.row(slot), server, clock: deps.clock };
}

t.test('a connection that is kept for one client gives way to a request of another thread', async (t) => {
  const { one, other, row } = await twoPools(t, { maxConnections: 1 });
  const pinned = new Request(one);
  await pinned.answered();
  pinned.lease?.release(true);
  t.equal(pinned.lease?.isKept, true);
  const waiting = new Request(other);
  await until(() => waiting.lease !== null);
  t.equal(pinned.lease?.isKept, false);
  t.equal(row.open, 1);
});

t.test('requests that come together get room from several threads', async (t) => {
  const { one, other, poolOf, row } = await twoPools(t, { maxConnections: 2 });
  for (const pool of [one, other]) {
    const request = new Request(pool);
    await request.answered();
    request.lease?.release();
  }
  t.equal(row.idle, 2);
  const third = poolOf(3);
  const requests = [new Request(third), new Request(third)];
  // No time passes: the pools do not look by themselves.
  for (const request of requests) await until(() => request.lease !== null);
  t.equal(row.open, 2);
});

t.test('a connection that is released is closed for an earlier request of another thread', async (t) => {
  const { one, other, row, server, clock } = await twoPools(t, { maxConnections: 1 });
  const first = new Request(one);
  await first.answered();
  const early = new Request(other);
  clock.advance(50);
  const late = new Request(one);
  first.lease?.release();
  await until(() => early.lease !== null);
  t.equal(late.lease, null);
  t.equal(server?.accepted, 2);
  await early.answered();
  early.lease?.release();
  await until(() => late.lease !== null);
  t.equal(row.open, 1);
  t.equal(server?.accepted, 3);
});

t.test('requests of threads that came at about the same time keep the open connections', async (t) => {
  const { one, other, server } = await twoPools(t, { maxConnections: 1 });
  const first = new Request(one);
  await first.answered();
  const abroad = new Request(other);
  const near = new Request(one);
  first.lease?.release();
  t.not(near.lease, null, 'at once');
  t.equal(abroad.lease, null);
  t.equal(server?.accepted, 1);
});

t.test('the longer requests wait, the less a small difference closes an open connection', async (t) => {
  for (const [difference, isKept] of [
    [20, true],
    [30, false],
  ] as const) {
    const { one, other, server, clock } = await twoPools(t, { maxConnections: 1 });
    const first = new Request(one);
    await first.answered();
    const abroad = new Request(other);
    clock.advance(difference);
    const near = new Request(one);
    clock.advance(100);
    first.lease?.release();
    await until(() => (isKept ? near : abroad).lease !== null);
    t.equal((isKept ? abroad : near).lease, null, `${difference} ms`);
    t.equal(server?.accepted, isKept ? 1 : 2);
  }
});

t.test('a free place is found even if no thread calls about it', async (t) => {
  const { one, third, clock } = await twoPools(t, { maxConnections: 1 });
  t.equal(third.takePlace(1), true);
  const waiting = new Request(one);
  third.givePlace();
  await turns();
  t.equal(waiting.lease, null);
  clock.advance(100);
  await until(() => waiting.lease !== null);
});

t.test('a place that is left to a thread that does not take it is taken after a while', async (t) => {
  const { one, third, clock } = await twoPools(t, { maxConnections: 1 });
  third.joinLine(10, clock.now());
  clock.advance(20);
  const waiting = new Request(one);
  t.equal(one.waitingCount, 2);
  clock.advance(50);
  await turns();
  t.equal(waiting.lease, null, 'the other request came earlier');
  clock.advance(150);
  await until(() => waiting.lease !== null);
  await waiting.answered();
  const next = new Request(one);
  waiting.lease?.release();
  t.not(next.lease, null, 'until the other thread goes on');
  third.setLine(1, clock.now() - 10);
  await next.answered();
  next.lease?.release();
  await until(() => third.open === 0);
});

t.test('a request that leaves the line leaves its place to others', async (t) => {
  const { one, other, clock } = await twoPools(t, { maxConnections: 1 });
  const first = new Request(one);
  await first.answered();
  const early = new Request(one);
  clock.advance(20);
  const late = new Request(other);
  one.cancel(early);
  first.lease?.release();
  await until(() => late.lease !== null);
  t.equal(early.lease, null);
});

t.test(
  'a limit that is lowered closes as many connections as are too many, not as many in each thread',
  async (t) => {
    const { one, other, row, server } = await twoPools(t, { maxConnections: 6 });
    const requests = [one, one, one, other, other, other].map((pool) => new Request(pool));
    for (const request of requests) await request.answered();
    for (const request of requests) request.lease?.release();
    t.equal(row.open, 6);
    for (const pool of [one, other]) pool.setLimits({ ...pool.limits, maxConnections: 4 });
    await until(() => server?.connections === 4);
    t.equal(row.open, 4);
    t.equal(row.closing, 0);
  },
);

t.test('every way to end gives back each place once', async (t) => {
  const ways: { readonly [way: string]: (pool: Pool) => void } = {
    cut: (pool) => pool.cut(),
    close: (pool) => pool.close(),
    'turn away, then close': (pool) => {
      pool.turnAway('down');
      pool.close();
    },
    'retire, turn away, close': (pool) => {
      pool.retire();
      pool.turnAway('removed');
      pool.close();
    },
  };
  for (const [way, end] of Object.entries(ways)) {
    const { one, other, row } = await twoPools(t, { maxConnections: 3 });
    const used = [new Request(one), new Request(one)];
    for (const request of used) await request.answered();
    used[0]?.lease?.release();
    const elsewhere = new Request(other);
    await until(() => elsewhere.lease !== null);
    end(one);
    await until(() => row.open === 1, `${way}: ${row.open} are open`);
    t.equal(row.inLine, 0, way);
    t.equal(row.closing, 0, way);
  }
});

t.test('connections that are being opened count, and are given up when they fail', async (t) => {
  const deaf = await startDeafServer(t);
  const { one, other, row, clock } = await twoPools(t, { maxConnections: 2 }, deaf);
  const requests = [new Request(one), new Request(one), new Request(other)];
  t.equal(row.open, 2);
  t.equal(row.inLine, 1);
  clock.advance(3100);
  await until(() => requests[1]?.failure !== null && requests[2]?.failure === null);
  await until(() => row.open === 1);
  t.equal(row.inLine, 0, 'the other thread has a place');
  one.turnAway('down');
  other.turnAway('down');
  t.equal(row.open, 0);
});
