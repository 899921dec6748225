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
