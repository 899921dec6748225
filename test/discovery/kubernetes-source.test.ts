import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ApiEndpoint, KubernetesApi } from '../../fixtures/kubernetes-api.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { KubernetesSourceConfig } from '../../lib/config/types.js';
import { JsonLines } from '../../lib/discovery/json-lines.js';
import { KubernetesSource } from '../../lib/discovery/kubernetes-source.js';
import { type Cluster, kubeconfigText, startCluster, TOKEN } from '../support/kubernetes.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

// The API server is built from the documents of the Kubernetes API (fixtures/kubernetes-api.ts): no cluster is needed.

/** A source over the cluster, what it says in lines, and its time, which only the test advances. */
function follow(t: Test, { source }: Pick<Cluster, 'source'>, more: Partial<KubernetesSourceConfig> = {}) {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const followed = new KubernetesSource(source(more), { wheel });
  t.teardown(() => {
    followed.stop();
    wheel.close();
  });
  const said: string[] = [];
  const listener = {
    onServers(
      servers: readonly { name: string | null; address: string }[],
      _validMs: number,
      trouble = '',
    ): void {
      const names = servers.map(({ name, address }) => name ?? address).sort();
      said.push([names.join(' '), trouble].filter((text) => text !== '').join(' but '));
    },
    onFailed: (reason: string) => said.push(`failed: ${reason}`),
  };
  return {
    said,
    source: followed,
    ask: () => followed.ask(listener),
    /** Waits for the next thing it says that was not asked for yet. */
    async next(): Promise<string> {
      await until(() => said.length > 0);
      return said.shift() as string;
    },
    /** So much later, with all that is due. */
    later: (ms: number) => clock.advance(ms),
  };
}

let hosts = 0;
const pod = (name: string, more: Partial<ApiEndpoint> = {}): ApiEndpoint => ({
  address: `10.0.0.${(hosts++ % 250) + 1}`,
  pod: name,
  ...more,
});

/** The API server has a watch, and knows of nothing that was not told. */
const watched = (api: KubernetesApi) => until(() => api.watches === 1);

t.test('a Service is listed and watched: endpoints come, change and go', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  const [a, b, c] = [pod('a'), pod('b'), pod('c')];
  api.set('api-1', { endpoints: [a, b] });
  api.set('other-1', { service: 'other', endpoints: [pod('z')] });
  const { ask, next, later, said } = follow(t, cluster);
  ask();
  t.equal(await next(), 'a b');
  await watched(api);
  later(1000);
  api.set('api-2', { endpoints: [c] });
  t.equal(await next(), 'a b c');
  later(1000);
  api.set('api-1', { endpoints: [{ ...a, ready: false, serving: true, terminating: true }, b] });
  t.equal(await next(), 'b c');
  later(1000);
  api.delete('api-2');
  t.equal(await next(), 'b');
  later(1000);
  api.set('other-1', { service: 'other', endpoints: [] });
  api.set('api-1', { endpoints: [{ ...b, ready: false, serving: true, terminating: true }] });
  t.equal(await next(), 'b', 'the last one leaves, and still serves');
  ask();
  t.equal(await next(), 'b', 'asked again it says what it knows');
  t.same(said, []);
  const [list, watch] = api.requests;
  t.equal(api.requests.length, 2);
  t.match(list, { namespace: 'default', authorization: `Bearer ${TOKEN}` });
  t.same(Object.fromEntries(list?.query ?? []), {
    labelSelector: 'kubernetes.io/service-name=api',
    limit: '10',
  });
  t.same(Object.fromEntries(watch?.query ?? []), {
    labelSelector: 'kubernetes.io/service-name=api',
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: '1002',
    timeoutSeconds: '120',
  });
});

t.test('events close together are reported together, the first at once', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later, said } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  later(1000);
  api.set('api-2', { endpoints: [pod('b')] });
  t.equal(await next(), 'a b');
  later(1000);
  api.delete('api-2');
  t.equal(await next(), 'a');
  for (const n of [3, 4, 5]) api.set(`api-${n}`, { endpoints: [pod(`c${n}`)] });
  // The next watch shows that all of this one was read.
  api.endWatches();
  await until(() => api.requests.length === 3);
  t.same(said, []);
  later(150);
  t.equal(await next(), 'a c3 c4 c5');
});

t.test('lists come in pages, and those that took too long begin again', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  for (let n = 0; n < 25; n++) api.set(`api-${n}`, { endpoints: [pod(`p${n}`)] });
  const { ask, next } = follow(t, cluster);
  ask();
  t.equal((await next()).split(' ').length, 25);
  await watched(api);
  const { requests } = api;
  t.same(
    requests.map(({ query }) => [query.get('limit'), query.has('continue'), query.has('watch')]),
    [
      ['10', false, false],
      ['10', true, false],
      ['10', true, false],
      [null, false, true],
    ],
  );
  // The versions of a list that is read slowly may be gone before its end.
  api.expire();
  api.expiredPages = 1;
  t.equal(
    await next(),
    'failed: watch: the watch ended with 410: too old resource version: 0 (1025)',
    'the list is new',
  );
  ask();
  t.match(await next(), /^failed: status 410: The provided continue parameter is too old/);
  ask();
  await until(() => requests.filter(({ query }) => query.has('watch')).length === 2);
  t.equal((await next()).split(' ').length, 25);
});

t.test('a watch that ends, is cut or says nothing goes on where it was', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later, said } = follow(t, cluster);
  ask();
  t.equal(await next(), 'a');
  const versions = () => api.requests.flatMap(({ query }) => query.get('resourceVersion') ?? []);
  const interrupt: readonly [what: string, how: () => void][] = [
    ['ends', () => api.endWatches()],
    ['is cut', () => api.cut()],
    ['says nothing', () => later(131_000)],
  ];
  for (const [n, [what, how]] of interrupt.entries()) {
    await watched(api);
    // Its answer has been read when an event has.
    later(1000);
    api.set('api-2', { endpoints: [pod(`b${n}`)] });
    t.equal(await next(), `a b${n}`);
    later(2000);
    api.pass(10);
    const before = versions().length;
    how();
    await until(() => versions().length > before);
    t.same(said, [], `nobody is told that it ${what}`);
    t.equal(versions().at(-1), String(1002 + n * 11));
  }
  t.equal(api.requests.filter(({ query }) => query.has('limit')).length, 1, 'there was one list');
});

t.test('changes while there is no watch come with the next one', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  later(1000);
  api.set('api-2', { endpoints: [pod('b')] });
  await next();
  later(2000);
  api.endWatches();
  api.set('api-1', { endpoints: [pod('c')] });
  t.equal(await next(), 'b c');
});

t.test('a bookmark is where the next watch begins', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later, said } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  api.pass(500);
  api.bookmark();
  later(1000);
  // What comes after the bookmark in the stream has been read after it.
  api.set('other-1', { service: 'other' });
  api.send('{"type":"UNKNOWN","object":{"metadata":{}}}');
  api.set('api-2', { endpoints: [pod('b')] });
  t.equal(await next(), 'a b');
  later(2000);
  api.bookmark();
  api.compact();
  api.endWatches();
  await until(() => api.requests.length === 3);
  await watched(api);
  t.equal(api.requests[2]?.query.get('resourceVersion'), '1503');
  t.same(said, []);
});

for (const [how, gone] of [
  ['in the stream', (api: KubernetesApi) => api.expire()],
  [
    'as the answer to the next watch',
    (api: KubernetesApi) => {
      api.refusedWatch = 410;
      api.endWatches();
    },
  ],
] as const)
  t.test(`versions that are gone (410 ${how}) lead to a list at once`, async (t) => {
    const cluster = await startCluster(t);
    const { api } = cluster;
    api.set('api-1', { endpoints: [pod('a')] });
    api.set('api-2', { endpoints: [pod('b')] });
    const { ask, next, later, said } = follow(t, cluster);
    ask();
    await next();
    await watched(api);
    later(1000);
    api.set('api-3', { endpoints: [pod('c')] });
    await next();
    later(2000);
    gone(api);
    // This change is in no watch.
    api.delete('api-1');
    api.compact();
    await until(() => api.requests.filter(({ query }) => query.has('limit')).length === 2);
    api.refusedWatch = 0;
    t.equal(await next(), 'b c');
    await watched(api);
    t.same(said, []);
  });

t.test('an error changes nothing, and the next question begins with a list', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later } = follow(t, cluster);
  api.mood = 'failing';
  ask();
  t.equal(await next(), 'failed: status 500: etcdserver: request timed out');
  api.mood = 'forbidding';
  ask();
  t.match(
    await next(),
    /^failed: status 403: endpointslices\.discovery\.k8s\.io is forbidden: User "system:s/,
  );
  api.mood = 'hanging';
  ask();
  await until(() => api.requests.length === 3);
  later(10_100);
  t.equal(await next(), 'failed: no whole answer within 10 s');
  api.mood = 'answering';
  api.lists.push(
    '{"items": [',
    '[]',
    '{"metadata":{},"items":{}}',
    '{"metadata":{},"items":[]}',
    '{"metadata":{},"items":[{}]}',
  );
  for (const message of [
    'the list is not JSON',
    'expected a map as a list',
    'expected a list of EndpointSlices',
    'the list has no resourceVersion',
    'expected a map as metadata',
  ]) {
    ask();
    t.equal(await next(), `failed: ${message}`);
  }
  ask();
  t.equal(await next(), 'a');
  await watched(api);
  later(5000);
  api.set('api-2', { endpoints: [pod('b')] });
  t.equal(await next(), 'a b');
  for (const [line, message] of [
    ['{"type":', 'a line is not JSON'],
    ['[]', 'expected a map as an event'],
    ['{"type":"ADDED"}', 'expected a map as the object of an event'],
    ['{"type":"ADDED","object":{"metadata":{"name":"x"}}}', 'the EndpointSlice x has an unknown addressType'],
    ['{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"\\ud800"}}}', 'URIError: URI malformed'],
    ['{"type":"ERROR","object":{"code":500,"message":"a\\nb"}}', 'the watch ended with 500: a b'],
    [' '.repeat(4 * 1024 * 1024 + 1), 'a line is longer than 4MB'],
  ] as const) {
    api.send(line);
    t.equal((await next()).toLowerCase(), `failed: watch: ${message}`.toLowerCase());
    ask();
    t.equal(await next(), 'a b');
    await watched(api);
    later(5000);
  }
});

t.test('where watches are refused, each question is a list, with what is wrong', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  api.refusedWatch = 403;
  const { ask, next, said } = follow(t, cluster);
  ask();
  t.equal(await next(), 'a');
  t.equal(await next(), 'failed: watch: status 403: watches are refused');
  api.set('api-2', { endpoints: [pod('b')] });
  ask();
  t.equal(await next(), 'a b but watch: status 403: watches are refused');
  api.refusedWatch = 0;
  ask();
  t.equal(await next(), 'a b');
  await watched(api);
  t.same(said, []);
});

t.test('a watch that ends at once is an error, not begun again for ever', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  api.endWatches();
  t.equal(await next(), 'failed: watch: the watch ended at once');
});

t.test('an API server that is gone has failed, and is listed when it is back', async (t) => {
  const cluster = await startCluster(t);
  const { ask, next } = follow(t, {
    source: () =>
      cluster.source({
        kubeconfig: writeKubeconfig(cluster, kubeconfigText(1, cluster.authority.cert, 'token: x')),
      }),
  });
  ask();
  t.equal(await next(), 'failed: ECONNREFUSED');
});

t.test('an empty list is confirmed by another list', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [] });
  const { ask, next } = follow(t, cluster);
  const lists = () => api.requests.filter(({ query }) => query.has('limit')).length;
  ask();
  t.equal(await next(), '');
  await watched(api);
  ask();
  t.equal(await next(), '');
  t.equal(lists(), 2);
});

t.test('a Service that does not exist has no servers, with a message', async (t) => {
  const cluster = await startCluster(t);
  const { ask, next } = follow(t, cluster, { namespace: 'shop', service: 'aip' });
  ask();
  t.equal(
    await next(),
    'no EndpointSlice has the label kubernetes.io/service-name=aip: is there a Service shop/aip?',
  );
  t.equal(cluster.api.requests[0]?.namespace, 'shop');
});

t.test('a port that no slice has changes nothing', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later } = follow(t, cluster, { port: 'http' });
  ask();
  t.equal(await next(), 'a');
  await watched(api);
  later(1000);
  api.set('api-1', { endpoints: [pod('a')], ports: [{ name: 'web', port: 80 }] });
  t.equal(await next(), 'failed: no port "http", only web (80)');
});

/** Beside the one of the cluster. */
function writeKubeconfig({ folder }: Cluster, text: string): string {
  const path = join(folder, 'other.yaml');
  writeFileSync(path, text);
  return path;
}

t.test('a token that is replaced is used from the next request on, at the latest after a 401', async (t) => {
  const cluster = await startCluster(t);
  const { api, authority, folder } = cluster;
  const token = join(folder, 'token');
  writeFileSync(token, 'first\n');
  api.tokens = ['first'];
  const kubeconfig = writeKubeconfig(cluster, kubeconfigText(api.port, authority.cert, 'tokenFile: token'));
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later } = follow(t, cluster, { kubeconfig });
  ask();
  t.equal(await next(), 'a');
  await watched(api);
  later(1000);
  api.set('api-1', { endpoints: [pod('b')] });
  t.equal(await next(), 'b');
  later(2000);
  api.tokens = ['second'];
  api.endWatches();
  t.equal(await next(), 'failed: watch: status 401: Unauthorized');
  writeFileSync(token, 'second');
  ask();
  t.equal(await next(), 'b');
  t.equal(api.requests.at(-1)?.authorization, 'Bearer second');
});

t.test('a client certificate is shown, and authorities that are replaced are used', async (t) => {
  const cluster = await startCluster(t);
  const { api, authority, folder } = cluster;
  const { cert, key } = await authority.issue({ commonName: 'lb-user', names: [] });
  writeFileSync(join(folder, 'a.crt'), cert);
  writeFileSync(join(folder, 'a.key'), key);
  api.tokens = [];
  api.set('api-1', { endpoints: [pod('a')] });
  const text = kubeconfigText(api.port, 'no certificate', 'client-certificate: a.crt', 'client-key: a.key');
  const kubeconfig = writeKubeconfig(cluster, text);
  const { ask, next } = follow(t, cluster, { kubeconfig });
  ask();
  t.match(await next(), /^failed: /);
  writeKubeconfig(
    cluster,
    kubeconfigText(api.port, authority.cert, 'client-certificate: a.crt', 'client-key: a.key'),
  );
  ask();
  t.equal(await next(), 'a');
  t.equal(api.requests.at(-1)?.client, 'lb-user');
});

t.test('the certificate of the API server is verified, and its name', async (t) => {
  const cluster = await startCluster(t);
  const { api, authority } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const text = kubeconfigText(api.port, authority.cert, `token: ${TOKEN}`);
  const variants: readonly [text: string, said: RegExp][] = [
    [text.replace(/ +certificate-authority-data.*\n/, ''), /^failed: .*(certificate|self-signed)/],
    [text.replace('127.0.0.1', 'localhost'), /^failed: Hostname\/IP does not match/],
    [text.replace(/( +)server:/, '$1tls-server-name: kubernetes.default.svc\n$1server:'), /^a$/],
    [text.replace(/ +certificate-authority-data.*/, '    insecure-skip-tls-verify: true'), /^a$/],
  ];
  for (const [variant, said] of variants) {
    const { ask, next, source } = follow(t, cluster, { kubeconfig: writeKubeconfig(cluster, variant) });
    ask();
    t.match(await next(), said);
    source.stop();
  }
});

t.test('a stream that is cut at every byte is the same stream', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const { ask, next, later } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  api.pieces = 1;
  later(1000);
  api.set('api-2', { endpoints: [pod('b')] });
  t.equal(await next(), 'a b');
  const text = '{"a":"ä"}\r\n\n{"b":[1,2]}\n  {"c":null}\n{"d"';
  const bytes = Buffer.from(text);
  const whole = new JsonLines(100).read(bytes);
  t.same(whole, [{ a: 'ä' }, { b: [1, 2] }, { c: null }]);
  for (let first = 0; first <= bytes.length; first++)
    for (let second = first; second <= bytes.length; second++) {
      const lines = new JsonLines(100);
      const cuts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      const read = cuts.flatMap((cut) => [...lines.read(cut)]);
      if (JSON.stringify(read) !== JSON.stringify(whole)) t.fail(`cut at ${first} and ${second}`);
    }
});

t.test('after it was stopped it says nothing, and has no connection', async (t) => {
  const cluster = await startCluster(t);
  const { api } = cluster;
  api.set('api-1', { endpoints: [pod('a')] });
  const early = follow(t, cluster);
  early.ask();
  early.source.stop();
  const { ask, next, said, source } = follow(t, cluster);
  ask();
  await next();
  await watched(api);
  source.stop();
  await until(() => api.connections === 0);
  t.same([...said, ...early.said], []);
  t.same(api.watches, 0);
});
