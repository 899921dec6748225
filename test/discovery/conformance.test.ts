import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { DockerEngine } from '../../fixtures/docker-engine.js';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import type { SourceConfig } from '../../lib/config/types.js';
import type { DiscoveredServer } from '../../lib/discovery/contract.js';
import { DockerEngines } from '../../lib/discovery/docker-engines.js';
import { Providers } from '../../lib/discovery/providers.js';
import { Resolver } from '../../lib/net/resolver.js';
import { startCluster } from '../support/kubernetes.js';
import { until } from '../support/loop-ticks.js';

/** A place where servers are registered, of one kind. */
interface Registry {
  readonly source: SourceConfig;
  readonly nameServer?: string;
  /** What it says from now on: hosts, all on port 80. */
  set(...hosts: readonly string[]): void;
  /** It can't be asked any more, or its answer is broken, until the next `set`. */
  fail(): void;
}

/** Every kind of source; the compiler asks for each. */
const REGISTRIES: {
  readonly [K in SourceConfig['kind']]: (t: Test) => Promise<Registry>;
} = {
  async dns(t) {
    const dns = await nameServer(t);
    return {
      source: { kind: 'dns', name: 'api.test', port: 80, family: 'auto' },
      nameServer: dns.address,
      set(...hosts) {
        dns.mood = 'answering';
        dns.set('api.test', 0, ...hosts);
      },
      fail() {
        dns.mood = 'failing';
      },
    };
  },
  async srv(t) {
    const dns = await nameServer(t);
    return {
      source: { kind: 'srv', name: '_http._tcp.api.test', family: 'auto' },
      nameServer: dns.address,
      set(...hosts) {
        dns.mood = 'answering';
        for (const host of hosts) dns.set(`h${host}.test`, 0, host);
        dns.setSrv('_http._tcp.api.test', 0, ...hosts.map((host) => ({ port: 80, target: `h${host}.test` })));
      },
      fail() {
        dns.mood = 'failing';
      },
    };
  },
  async file(t) {
    const folder = join(t.testdir(), 'targets');
    const set = (...hosts: readonly string[]): void => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'next'), groups(hosts));
      renameSync(join(folder, 'next'), join(folder, 'api.json'));
    };
    return {
      source: { kind: 'file', folder, pattern: 'api.json' },
      set,
      fail: () => rmSync(folder, { recursive: true }),
    };
  },
  async http(t) {
    let body = '';
    const server = createServer((_request, response) => {
      if (body === '') response.writeHead(500).end();
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    return {
      source: { kind: 'http', url, every: 300, timeout: 1000, ca: null, headers: [] },
      set(...hosts) {
        body = groups(hosts);
      },
      fail() {
        body = '';
      },
    };
  },
  async kubernetes(t) {
    const { api, source } = await startCluster(t);
    const ports = [{ port: 80 }];
    return {
      source: source(),
      set(...hosts) {
        api.mood = 'answering';
        api.set('api-1', { ports, endpoints: hosts.map((address) => ({ address })) });
      },
      fail() {
        api.mood = 'failing';
        api.cut();
      },
    };
  },
  async docker(t) {
    const engine = await DockerEngine.start();
    const { socket } = engine;
    t.teardown(() => engine.close());
    const labels = [{ name: 'app', value: 'api' }];
    return {
      source: {
        kind: 'docker',
        engine: { socket, tls: null },
        choice: { kind: 'labels', labels },
        port: null,
        network: null,
      },
      set(...hosts) {
        engine.listMood = 'answering';
        engine.set(
          ...hosts.map((host) => ({
            id: host.replaceAll('.', ''),
            networks: { net: host },
            labels: { app: 'api' },
          })),
        );
        // Those that were seen to stop are not missed a second time.
        if (hosts.length === 0) engine.cut();
        else engine.emit('rename', '10001');
      },
      fail() {
        engine.listMood = 'broken';
        engine.emit('rename', '10001');
      },
    };
  },
};

function groups(hosts: readonly string[]): string {
  return JSON.stringify([{ targets: hosts.map((host) => `${host}:80`) }]);
}

async function nameServer(t: Test): Promise<DnsServer> {
  const dns = await DnsServer.start();
  t.teardown(() => dns.close().catch(() => {}));
  return dns;
}

const TERMS = { weight: 1, backup: false, maxConnections: 0, tls: null, sendProxy: null };

/** What a provider over this registry tells. */
function follow(t: Test, { source, nameServer: server }: Registry) {
  const wheel = new TimerWheel(systemClock);
  const servers = server === undefined ? [] : [server];
  const resolver = new Resolver({ servers, minTtl: 300, maxTtl: 60_000 }, wheel, {});
  const told: string[] = [];
  const events: string[] = [];
  const event = ({ what }: BalancerEvent): void => {
    events.push(what);
  };
  const onServers = (_key: string, list: readonly DiscoveredServer[]): void => {
    // Plain data, for a thread of its own.
    told.push(
      structuredClone(list)
        .map(({ address }) => address)
        .sort()
        .join(' '),
    );
  };
  const engines = new DockerEngines({ wheel, env: {}, self: null });
  const providers = new Providers({
    wheel,
    resolver,
    engines,
    observer: { event },
    onServers,
    random: () => 0,
  });
  const sources = new Map([['key', { text: source.kind, key: 'key', source, terms: TERMS }]]);
  providers.stage(sources);
  t.teardown(() => {
    providers.stop();
    resolver.close();
    wheel.close();
  });
  const status = () => providers.statuses[0];
  return { providers, sources, told, events, status };
}

// They mostly wait.
t.jobs = 5;

for (const kind of Object.keys(REGISTRIES) as SourceConfig['kind'][]) {
  t.test(
    `${kind}: lists grow, shrink and change, and an order that changes is no change`,
    { buffered: true },
    async (t) => {
      const registry = await REGISTRIES[kind](t);
      registry.set('10.0.0.1', '10.0.0.2');
      const { providers, sources, told, status } = follow(t, registry);
      await providers.firstAnswers(30_000);
      t.same(told, ['10.0.0.1:80 10.0.0.2:80'], 'the first answer is there after the wait');
      providers.install(sources);
      registry.set('10.0.0.2', '10.0.0.1');
      const answered = status()?.answeredAt ?? 0;
      await until(() => (status()?.answeredAt ?? 0) > answered);
      t.equal(told.length, 1);
      registry.set('10.0.0.1', '10.0.0.2', '10.0.0.3');
      await until(() => told.length === 2);
      registry.set('10.0.0.3');
      await until(() => told.length === 3);
      registry.set('10.0.0.4');
      await until(() => told.length === 4);
      t.same(told.slice(1), ['10.0.0.1:80 10.0.0.2:80 10.0.0.3:80', '10.0.0.3:80', '10.0.0.4:80']);
      t.match(status(), { kind, state: 'current', servers: 1, error: '', errors: 0 });
    },
  );

  t.test(`${kind}: while it fails the last list stays, and it recovers`, { buffered: true }, async (t) => {
    const registry = await REGISTRIES[kind](t);
    registry.set('10.0.0.1');
    const { providers, sources, told, events, status } = follow(t, registry);
    await providers.firstAnswers(30_000);
    providers.install(sources);
    registry.fail();
    await until(() => (status()?.errors ?? 0) >= 2);
    t.match(status(), { state: 'failing', servers: 1 });
    t.not(status()?.error, '');
    t.equal(told.length, 1);
    registry.set('10.0.0.1', '10.0.0.2');
    await until(() => told.length === 2);
    t.match(status(), { state: 'current', servers: 2, error: '' });
    // For another reason it is told again.
    t.same(
      [...new Set(events.filter((what) => what.startsWith('source')))],
      ['source_failed', 'source_recovered'],
    );
  });

  t.test(`${kind}: an empty list is taken over when it stays empty`, { buffered: true }, async (t) => {
    const registry = await REGISTRIES[kind](t);
    registry.set('10.0.0.1');
    const { providers, sources, told, status } = follow(t, registry);
    await providers.firstAnswers(30_000);
    providers.install(sources);
    registry.set();
    await until(() => status()?.error.includes('reported no servers') === true);
    t.equal(status()?.servers, 1);
    await until(() => told.length === 2);
    t.equal(told[1], '');
  });

  t.test(
    `${kind}: a source that has not answered is waited for as long as it may take, and then follows`,
    async (t) => {
      const registry = await REGISTRIES[kind](t);
      registry.set();
      registry.fail();
      const { providers, sources, told, status } = follow(t, registry);
      await providers.firstAnswers(100);
      providers.install(sources);
      t.match(status(), { state: 'waiting', servers: 0, answeredAt: null });
      registry.set('10.0.0.1');
      await until(() => told.length === 1);
      t.equal(status()?.state, 'current');
    },
  );

  t.test(`${kind}: a stopped source reports nothing`, { buffered: true }, async (t) => {
    const registry = await REGISTRIES[kind](t);
    registry.set('10.0.0.1');
    const { providers, told } = follow(t, registry);
    providers.stop();
    await new Promise((resolve) => setTimeout(resolve, 500));
    t.same(told, []);
  });
}
