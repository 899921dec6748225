import { answering, type RawServer, type Script, startRawServer } from '../../../fixtures/raw-server.js';
import { type Seen, startBalancer } from '../../support/balancer.js';
import type { ManualClock } from '../../support/manual-clock.js';

export type Test = Parameters<typeof startBalancer>[0];

export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
export const MANUAL = { manual: true };
/** Deadlines fire up to two wheel ticks late. */
export const LATE = 100;

export async function startServer(t: Test, script: Script = answering(OK)): Promise<RawServer> {
  const server = await startRawServer(script);
  t.teardown(() => server.close());
  return server;
}

/** An answer with this status and no content. */
export function status(code: number): string {
  return `HTTP/1.1 ${code} Whatever\r\nContent-Length: 0\r\n\r\n`;
}

/** Lets the next check begin, at most `interval` and its jitter away, and waits for its result. */
export async function nextCheck(seen: Seen, clock: ManualClock, interval = 5000): Promise<string> {
  const before = seen.checks.length;
  clock.advance(interval * 1.1 + LATE);
  await seen.when(() => seen.checks.length > before);
  return seen.checks[before]?.result ?? '';
}

/** The result of the first check of a server that follows `script`. */
export async function resultOf(t: Test, script: Script, check: object): Promise<string> {
  const server = await startServer(t, script);
  const health_check = { timeout: '1h', ...check };
  const { seen, clock } = await startBalancer(t, { servers: [server.address], health_check }, MANUAL);
  const result = await nextCheck(seen, clock);
  return `${seen.checks[0]?.ok === true ? 'up' : 'down'}: ${result}`;
}
