import type { Test } from 'tap';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { type Started, startBalancer } from '../support/balancer.js';

type Settings = Parameters<typeof startBalancer>[1];

/** Waits for a condition that nothing tells of, a minute at most. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited for a minute in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Balancers that share through one Redis, in one process. They wait long for answers: a busy machine is no loss of Redis. */
export async function startNodes(
  t: Test,
  count: number,
  redis: string,
  settings: Settings,
  shared: object = {},
  options: Parameters<typeof startBalancer>[2] = {},
): Promise<readonly Started[]> {
  const nodes: Started[] = [];
  for (let i = 0; i < count; i++) {
    const node = `node-${i + 1}`;
    const all = { ...settings, shared: { redis, node, timeout: '10s', ...shared } };
    nodes.push(await startBalancer(t, all, options));
  }
  return nodes;
}

/** What the balancer says of what is shared. */
export function sharedOf(balancer: Balancer): NonNullable<ReturnType<Balancer['status']>['shared']> {
  const { shared } = balancer.status();
  if (shared === null) throw new Error('nothing is shared');
  return shared;
}

/** Waits until all nodes share, and know each other. */
export async function untilShared(nodes: readonly Started[]): Promise<void> {
  await until('all nodes share', () =>
    nodes.every(({ balancer }) => {
      const { state, nodes: known } = sharedOf(balancer);
      return state === 'shared' && known.length === nodes.length;
    }),
  );
}

/** The events of one kind, as the journal has them. */
export function events(balancer: Balancer, what: string): readonly string[] {
  return balancer
    .events()
    .filter((event) => event.what === what)
    .map(({ reason }) => reason);
}

/** Asks once, and resolves with how many requests were let through; then it pauses, in ms. */
export interface LimitLoad {
  readonly ask: () => Promise<number>;
  readonly pause: number;
}

/** Puts these loads on nodes with one limit per second and a burst of 20, and judges what all let through together. */
export async function judgeLimit(
  t: Test,
  nodes: readonly Started[],
  limit: number,
  loads: readonly LimitLoad[],
): Promise<void> {
  const from = performance.now();
  let passed = 0;
  let isOver = false;
  const running = loads.map(async ({ ask, pause }) => {
    while (!isOver) {
      // Other loads count meanwhile: the sum is read after the answer.
      const more = await ask();
      passed += more;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  });
  await until('every node leases', () => nodes.every(({ balancer }) => sharedOf(balancer).keys === 1));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  isOver = true;
  await Promise.all(running);
  const seconds = (performance.now() - from) / 1000;
  // The burst once for each node at the first moment, which is taken off what comes next.
  const most = 20 + limit * seconds * 1.05;
  t.ok(passed <= most, `${passed} of at most ${most.toFixed()} in ${seconds.toFixed(1)} s`);
  t.ok(passed >= limit, `${passed} passed`);
  for (const { balancer } of nodes) t.ok(sharedOf(balancer).leased > 0);
}
