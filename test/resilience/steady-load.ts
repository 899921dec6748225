import type { Test } from 'tap';
import { answering, type RawServer } from '../../fixtures/raw-server.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';
import { origin } from '../support/origin.js';

/** Servers on one port of several addresses of the loopback network, each of which answers with its address. */
export async function origins(t: Test, hosts: readonly string[]): Promise<RawServer[]> {
  const servers: RawServer[] = [];
  for (const host of hosts) {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`;
    servers.push(await origin(t, answering(answer), host, servers[0]?.port));
  }
  return servers;
}

/** Keep-alive clients that ask all the time, and what they were answered. */
export function steadyLoad(
  t: Test,
  connect: () => Promise<{ send(text: string): void; response(): Promise<{ status: number; body: string }> }>,
  clients = 8,
) {
  const answers: string[] = [];
  const failures: string[] = [];
  let isOver = false;
  const rounds = new Array<number>(clients).fill(0);
  const loops = Array.from({ length: clients }, async (_, index) => {
    const client = await connect();
    while (!isOver) {
      client.send(GET);
      const { status, body } = await client.response();
      if (status === 200) answers.push(body);
      else failures.push(String(status));
      rounds[index]!++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  t.teardown(() => {
    isOver = true;
  });
  return {
    answers,
    failures,
    /** The shares of the next so many answers, by server. */
    async next(count: number): Promise<ReadonlyMap<string, number>> {
      // The request in flight of each client may have been sent elsewhere, and with several threads the one after it too.
      const before = [...rounds];
      await until(() => rounds.every((round, index) => round > (before[index] as number) + 1));
      const from = answers.length;
      await until(() => answers.length >= from + count);
      const shares = new Map<string, number>();
      for (const one of answers.slice(from, from + count))
        shares.set(one, (shares.get(one) ?? 0) + 1 / count);
      return shares;
    },
    async end(): Promise<void> {
      isOver = true;
      await Promise.all(loops);
    },
  };
}
