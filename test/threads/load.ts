import type { Seen, Started } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { ask } from '../support/named-origins.js';

/** Connections that stay open, so many that each thread has some. */
export const CONNECTIONS = 32;

export function connectMany(
  { connect }: Pick<Started, 'connect'>,
  count = CONNECTIONS,
): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => connect()));
}

/** Who answers, on all the connections. */
export async function answerers(clients: readonly RawClient[], target = '/'): Promise<string[]> {
  const answers = await Promise.all(clients.map((client) => ask(client, target)));
  return [...new Set(answers.map(({ status, server }) => (status === 200 ? server : String(status))))].sort();
}

/** What was told of threads that have ended. */
export function threadsEnded({ warnings }: Seen): readonly string[] {
  return warnings.filter((line) => line.startsWith('thread '));
}

/** Has the balancer ended the connection? */
export function isGone({ ended, closed }: RawClient): boolean {
  return ended || closed;
}
