import type { Test } from 'tap';
import type { RawServer } from '../../fixtures/raw-server.js';
import type { RawClient } from './client.js';
import { origin, readRequest } from './origin.js';

/** An origin that says its own name, and remembers what it was asked. */
export interface NamedOrigin {
  readonly name: string;
  readonly server: RawServer;
  readonly address: string;
  /** The heads of its requests. */
  readonly heads: string[];
  /** While set, it answers only when this resolves. */
  hold: Promise<void> | null;
}

/** Origins that answer every request with their name and are closed after the test. */
export function namedOrigins(t: Test, ...names: readonly string[]): Promise<NamedOrigin[]> {
  return Promise.all(
    names.map(async (name) => {
      const heads: string[] = [];
      const server = await origin(t, async (connection) => {
        for (;;) {
          const { head } = await readRequest(connection);
          heads.push(head);
          if (named.hold !== null) await named.hold;
          await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
        }
      });
      const named: NamedOrigin = { name, server, address: server.address, heads, hold: null };
      return named;
    }),
  );
}

/** What a client was answered: who, and which cookie it was told to keep. */
export interface Answer {
  readonly status: number;
  readonly server: string;
  /** The value of the first Set-Cookie; empty without one. */
  readonly setCookie: string;
}

/** One GET on a connection that stays open. `fields` are lines, each with its CRLF. */
export async function ask(client: RawClient, target = '/', fields = ''): Promise<Answer> {
  client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const { status, head, body } = await client.response();
  return { status, server: body, setCookie: /^set-cookie: (.*?)\r$/im.exec(head)?.[1] ?? '' };
}
