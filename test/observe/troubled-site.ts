import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';
import { type Ask, asker, type Reply } from '../admin/support.js';
import { start } from '../cli/program.js';
import type { Program } from '../cli/support.js';
import { until } from '../support/loop-ticks.js';
import { deadAddress } from '../support/origin.js';

/** The program, over servers and rules with which everything can happen that is counted or told. */
export interface TroubledSite {
  readonly program: Program;
  readonly port: number;
  readonly good: FixtureServer;
  /** Its checks are asked often. */
  readonly weak: FixtureServer;
  /** Of the admin listener. */
  readonly adminPort: number;
  readonly ask: Ask;
  /** Sends a request to one of its hosts. */
  readonly get: (host: string, path?: string) => Promise<Reply>;
  /** Has it read its settings again, with these behind them. */
  readonly reload: (more?: string) => Promise<Reply>;
}

export async function startTroubledSite(t: Test, more = ''): Promise<TroubledSite> {
  const servers = await Promise.all(
    ['good', 'weak', 'wavering', 'narrow'].map((name) => startFixtureServer({ name })),
  );
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const [good, weak] = servers;
  const dead = await Promise.all(
    ['dead', 'gone'].map(async (name) => ({ name, address: await deadAddress() })),
  );
  const settings = settingsOf([...servers, ...dead]) + more;
  const folder = t.testdir({ 'lb.yaml': settings });
  const program = start(t, ['-c', 'lb.yaml'], { cwd: folder });
  const adminPort = Number(await program.onStderr(/localhost:(\d+)\/ +status page/));
  const port = Number(await program.onStderr(/curl http:\/\/\S+?:(\d+)/));
  const ask = asker(adminPort);
  const request = asker(port);
  return {
    program,
    port,
    good: good!,
    weak: weak!,
    adminPort,
    ask,
    get: (host, path = '/') => request(path, { headers: { host } }),
    reload(more = '') {
      writeFileSync(join(folder, 'lb.yaml'), settings + more);
      return ask('/api/reload', { method: 'POST' });
    },
  };
}

function settingsOf(servers: readonly { readonly name: string; readonly address: string }[]): string {
  const of = (...names: string[]): string =>
    `servers: [${servers
      .filter(({ name }) => names.includes(name))
      .sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name))
      .map(({ name, address }) => `{ name: ${name}, address: "${address}" }`)
      .join(', ')}]`;
  return `listen: 127.0.0.1:0
admin: 127.0.0.1:0
access_log: off
health_check: false
passive_health: false
${of('good')}
paths:
  - { path: /old, redirect: { to: "http://new.example{path}", status: 308 } }
  - { path: /fixed, respond: { status: 503, body: later } }
hosts:
  - { host: retried, algorithm: first, ${of('dead', 'good')} }
  - { host: broken, retry: false, ${of('gone')} }
  - { host: ejected, passive_health: { consecutive_errors: 2 }, ${of('wavering', 'good')} }
  - { host: checked, health_check: { path: /healthcheck, interval: 50ms, rise: 1, fall: 1 }, ${of('weak')} }
  - { host: narrow, pool: { max_connections: 1, max_waiting: 1 }, ${of('narrow')} }
  - host: guarded
    firewall_rules: { path_reject: [/secret], ban: { status: [404], count: 2, within: 60s, for: 10m } }
    ${of('good')}
  - { host: limited, firewall_rules: { rate_limit: { requests: 1, per: 1h, burst: 1 } }, ${of('good')} }
  - { host: watched, firewall_rules: { mode: observe, path_reject: [/seen] }, ${of('good')} }
`;
}

/** Somebody who is told of events: what came, as it comes. */
export interface Listener {
  readonly url: string;
  readonly told: readonly ToldEvent[];
  /** Resolves with the first that is so. */
  until(what: string, server?: string): Promise<ToldEvent>;
}

export interface ToldEvent {
  readonly id: number;
  readonly what: string;
  readonly server: string;
  readonly reason: string;
}

/** A webhook that takes everything. */
export async function startListener(t: Test): Promise<Listener> {
  const told: ToldEvent[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      told.push(...(JSON.parse(text) as { events: ToldEvent[] }).events);
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    told,
    async until(what, name) {
      const find = () => told.find((event) => event.what === what && (name ?? event.server) === event.server);
      await until(() => find() !== undefined, `the webhook is told ${what} ${name ?? ''}`);
      return find() as ToldEvent;
    },
  };
}
