import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';
import { Admin } from '../../lib/admin/admin.js';
import { createBalancer } from '../../lib/balancer.js';
import type { Observer } from '../../lib/base/observer.js';
import { RequestLog } from '../../lib/cli/request-log.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import type { AdminConfig } from '../../lib/config/types.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import type { BalancerStatus } from '../../lib/control/status/status.js';
import { Exposition } from '../../lib/observe/exposition.js';
import { ObserverList } from '../../lib/observe/observer-list.js';
import { asker, SERVICES } from '../admin/support.js';
import { start, url } from '../cli/program.js';
import { MemoryStream } from '../cli/support.js';
import { startBalancer } from '../support/balancer.js';
import { until } from '../support/loop-ticks.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { makeThrow, runningWorkers } from '../support/worker-threads.js';
import { connectMany, threadsEnded } from './load.js';

t.setTimeout(300_000);

const WORKERS = 3;

/** What clients were answered, by status. */
type Answered = Map<number, number>;

/** Asks `count` requests over `clients` kept connections, each with an id; every tenth of a path that does not exist. */
async function load(port: number, count: number, clients = 24): Promise<Answered> {
  const answered: Answered = new Map();
  let next = 0;
  const one = async (client: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let own = 0; next < count; own++) {
      const number = next++;
      const path = number % 10 === 9 ? '/?status=404' : number % 25 === 3 ? '/secret' : '/';
      const status = await get(port, path, agent, `${client}-${own}`);
      answered.set(status, (answered.get(status) ?? 0) + 1);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
  return answered;
}

function get(port: number, path: string, agent: Agent, id: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'user-agent': id };
    request({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end();
  });
}

/** Has the threads report until so many requests are counted, however busy this machine is. */
async function counted(balancer: Balancer, total: number): Promise<void> {
  const counts = (): boolean => balancer.metrics.snapshot().requests.total >= total;
  await until(counts, `${total} requests are counted`, () => balancer.collectFigures());
}

interface Site {
  readonly balancer: Balancer;
  readonly port: number;
  readonly log: RequestLog;
  readonly file: string;
  readonly metrics: () => Promise<string>;
  readonly status: () => Promise<SnakeStatus>;
  readonly askAdmin: ReturnType<typeof asker>;
  readonly origins: readonly FixtureServer[];
}

type SnakeStatus = Pick<BalancerStatus, 'requests' | 'threads' | 'routes' | 'servers' | 'clients'>;

/** A balancer with several threads, an access log and an admin listener. */
async function startSite(t: Test, settings: Settings = {}, observer: Observer = {}): Promise<Site> {
  const origins = await Promise.all(['apple', 'banana'].map((name) => startFixtureServer({ name })));
  t.teardown(() => Promise.all(origins.map((origin) => origin.close())));
  const file = join(t.testdir({}), 'access.log');
  const config = createConfig({
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    access_log: { file, format: 'json' },
    firewall_rules: { path_reject: ['/secret'] },
    health_check: false,
    passive_health: false,
    servers: origins.map(({ name, address }) => ({ name, address })),
    ...settings,
  });
  const stdout = new Terminal(new MemoryStream(false), { colour: false, env: {} });
  const log = new RequestLog({ stdout, file: null, quiet: false, warning: (line) => t.comment(line) });
  log.applyConfig(config);
  const admin = new Admin(config.admin as AdminConfig);
  const balancer = createBalancer(config, new ObserverList([log, admin.observer, observer]), {
    workers: WORKERS,
  });
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  t.teardown(async () => {
    admin.close();
    exposition.close();
    balancer.stop();
    await balancer.ended;
    await log.close();
  });
  await balancer.start();
  const metrics = async () => ({ type: exposition.contentType, body: exposition.stream() });
  await admin.open(balancer, { ...SERVICES, metrics });
  const askAdmin = asker(admin.address.kind === 'tcp' ? admin.address.port : 0);
  const [address] = balancer.addresses;
  return {
    balancer,
    port: address?.kind === 'tcp' ? address.port : 0,
    log,
    file,
    metrics: async () => (await askAdmin('/metrics')).text,
    status: async () => (await askAdmin('/api/status')).json as SnakeStatus,
    askAdmin,
    origins,
  };
}

function sumOf(text: string, family: string): number {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${family}{`) || line.startsWith(`${family} `));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

t.test('10,000 requests over three threads are counted exactly, everywhere', THREADS, async (t) => {
  const site = await startSite(t);
  const answered = await load(site.port, 10_000);
  const total = 10_000;
  t.same([...answered.keys()].sort(), [200, 403, 404]);
  await counted(site.balancer, total);

  const text = await site.metrics();
  t.equal(sumOf(text, 'lb_requests_total'), total);
  for (const [status, count] of answered) {
    // The firewall refuses before there is a route.
    const route = status === 403 ? 'none' : 'default';
    const line = `lb_requests_total{route="${route}",code="${status}"} ${count}\n`;
    t.ok(text.includes(line), line.trim());
  }
  t.equal(sumOf(text, 'lb_request_duration_seconds_count'), total);
  t.equal(sumOf(text, 'lb_thread_requests_total'), total);
  t.equal(sumOf(text, 'lb_threads'), WORKERS);
  const forwarded = (answered.get(200) ?? 0) + (answered.get(404) ?? 0);
  t.equal(sumOf(text, 'lb_server_requests_total'), forwarded);
  t.equal(sumOf(text, 'lb_server_response_duration_seconds_count'), forwarded);
  t.equal(sumOf(text, 'lb_server_responses_total'), forwarded);
  t.equal(sumOf(text, 'lb_firewall_verdicts_total'), answered.get(403));
  t.ok(sumOf(text, 'lb_server_connections_opened_total') >= WORKERS);

  const { requests, threads, servers } = await site.status();
  t.equal(requests.total, total);
  t.same(
    threads.map(({ number }) => number),
    [1, 2, 3],
  );
  t.equal(
    threads.reduce((sum, thread) => sum + thread.requests, 0),
    total,
  );
  t.ok(
    threads.every((thread) => thread.requests > 0),
    'every thread has served some',
  );
  t.ok(threads.some(({ busy }) => busy > 0));
  t.equal(
    servers.reduce((sum, { totals }) => sum + totals.requests, 0),
    forwarded,
  );

  site.balancer.stop();
  await site.balancer.ended;
  await site.log.close();
  const lines = readFileSync(site.file, 'utf8').split('\n');
  t.equal(lines.pop(), '');
  t.equal(lines.length, total, 'one line for each request');
  const next = new Map<string, number>();
  const logged: Answered = new Map();
  for (const line of lines) {
    const { user_agent: id, status } = JSON.parse(line) as { user_agent: string; status: number };
    const [client = '', own] = id.split('-');
    if ((next.get(client) ?? 0) !== Number(own)) t.fail(`${id} is out of order`);
    next.set(client, Number(own) + 1);
    logged.set(status, (logged.get(status) ?? 0) + 1);
  }
  t.same([...logged].sort(), [...answered].sort());
  t.equal(site.log.dropped, 0);
});

t.test('the last five minutes and the failures are those of all threads', THREADS, async (t) => {
  const site = await startSite(t);
  const answered = await load(site.port, 600);
  const refused = answered.get(403) ?? 0;
  let points: { requests: number; errors: number; p50: number | null }[] = [];
  const look = async (): Promise<void> => {
    const { json } = await site.askAdmin('/api/traffic');
    points = (json as { points: typeof points }).points;
    await pause(50);
  };
  const isWhole = (): boolean => points.reduce((sum, { requests }) => sum + requests, 0) >= 600;
  await until(isWhole, 'the last minutes have all 600 requests', look);
  t.equal(
    points.reduce((sum, { requests }) => sum + requests, 0),
    600,
  );
  t.ok(points.some(({ p50 }) => p50 !== null));
  const { json } = await site.askAdmin('/api/failures');
  t.match(json, { failures: [{ reason: 'blocked_path', count: refused }] });
  t.equal((json as { failures: { requests: object[] }[] }).failures[0]?.requests.length, 10);
});

t.test('an embedder that observes requests gets each record once', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const { port, seen, balancer } = await startBalancer(t, { servers: [a!.address] }, { workers: WORKERS });
  await load(port, 500, 12);
  await counted(balancer, 500);
  t.equal(seen.requests.length, 500);
  t.equal(new Set(seen.requests.map(({ requestId }) => requestId)).size, 500);
  const [first] = seen.requests;
  t.match(first, {
    method: 'GET',
    route: 'default',
    server: a!.address,
    attempts: 1,
    transport: { scheme: 'http' },
  });
  t.match(first?.requestHeadText, /^GET \/\S* HTTP\/1\.1\r\n/);
  t.match(first?.responseHeadText, /^HTTP\/1\.1 200 OK\r\n/);
});

t.test('a thread that throws loses no figure, and counters never fall', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const started = await startBalancer(t, { servers: [a!.address] }, { workers: WORKERS });
  const { balancer, seen } = started;
  const clients = await connectMany(started, 30);
  await Promise.all(clients.map((client) => ask(client)));
  await counted(balancer, 30);
  t.equal(balancer.status().clients, 30);
  const totals: number[] = [];
  const watch = setInterval(() => totals.push(balancer.metrics.snapshot().requests.total), 5);
  t.teardown(() => clearInterval(watch));
  await Promise.all(clients.map((client) => ask(client)));
  // What these requests were has not been reported yet.
  const [worker] = runningWorkers();
  makeThrow(worker!);
  await until(() => threadsEnded(seen).length === 1);
  await counted(balancer, 60);
  const status = balancer.status();
  t.equal(status.requests.total, 60);
  t.equal(status.servers[0]?.totals.requests, 60);
  t.ok(status.clients < 30, `${status.clients} clients are left`);
  await until(() => balancer.status().threads.some(({ restarts }) => restarts === 1));
  t.equal(
    balancer.status().threads.reduce((sum, { requests }) => sum + requests, 0),
    60,
  );
  t.same(
    totals,
    totals.toSorted((one, other) => one - other),
    'the total never fell',
  );
});

t.test('a thread that is killed loses only what it had not reported', THREADS, async (t) => {
  const [a] = await namedOrigins(t, 'a');
  const started = await startBalancer(t, { servers: [a!.address] }, { workers: WORKERS });
  const { balancer, seen } = started;
  const clients = await connectMany(started, 30);
  await Promise.all(clients.map((client) => ask(client)));
  await counted(balancer, 30);
  const before = balancer.status();
  await runningWorkers()[0]!.terminate();
  await until(() => threadsEnded(seen).length === 1);
  const after = balancer.status();
  t.equal(after.requests.total, before.requests.total);
  t.equal(after.servers[0]?.totals.requests, before.servers[0]?.totals.requests);
  t.same(after.requests.inFlight, 0);
});

t.test('a reload is followed: new names are counted, and another log is written', THREADS, async (t) => {
  const site = await startSite(t);
  await load(site.port, 100, 6);
  await counted(site.balancer, 100);
  await site.balancer.reload(
    createConfig({
      listen: '127.0.0.1:0',
      admin: { listen: '127.0.0.1:0' },
      access_log: { file: site.file, fields: ['status'] },
      health_check: false,
      hosts: [{ host: '127.0.0.1', servers: site.origins.map(({ name, address }) => ({ name, address })) }],
    }),
  );
  await load(site.port, 100, 6);
  await counted(site.balancer, 100);
  const text = await site.metrics();
  t.notMatch(text, /lb_requests_total\{route="default"/, 'the route of before is forgotten');
  t.match(text, /lb_requests_total\{route="127\.0\.0\.1",code="200"\} \d+\n/);
  t.ok(sumOf(text, 'lb_server_requests_total') > 150, 'servers continue');
});

t.test(
  'the program writes every line before it ends, and says how many requests there were',
  THREADS,
  async (t) => {
    const [a] = await namedOrigins(t, 'a');
    const log = join(t.testdir({}), 'access.log');
    const program = start(t, ['0', a!.address, '--workers', '3', '--access-log-file', log]);
    const { port } = new URL(await url(program));
    const answered = await load(Number(port), 2000, 12);
    t.same([...answered], [[200, 2000]]);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
    t.equal(readFileSync(log, 'utf8').trimEnd().split('\n').length, 2000);
    t.match(program.stderr, /stopped after 2,?000 requests in /);
  },
);

t.test(
  'a server that drains is reported as drained when no thread has a request on it',
  THREADS,
  async (t) => {
    const [a, b] = await namedOrigins(t, 'a', 'b');
    let answer = (): void => {};
    a!.hold = new Promise((resolve) => {
      answer = resolve;
    });
    const servers = [
      { address: a!.address, name: 'a' },
      { address: b!.address, name: 'b' },
    ];
    const started = await startBalancer(t, { servers }, { workers: WORKERS });
    const clients = await connectMany(started, 12);
    const answers = clients.map((client) => ask(client));
    await until(() => a!.heads.length > 1);
    started.balancer.setAvailability('a', 'draining');
    const drained = (): boolean => started.balancer.events().some(({ what }) => what === 'drained');
    t.equal(drained(), false);
    answer();
    await Promise.all(answers);
    await until(drained);
    t.equal(started.balancer.events().filter(({ what }) => what === 'drained').length, 1);
  },
);
