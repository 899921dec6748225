import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseKubeconfig } from '../../lib/discovery/kubeconfig.js';
import { accessReader } from '../../lib/discovery/kubernetes-access.js';

const FILE = '/etc/kube/config';

/** A kubeconfig with one context; `cluster` and `user` in flow style. */
function config(cluster: string, user: string, more = 'current-context: here'): string {
  return `clusters: [{ name: c, cluster: ${cluster} }]
users: [{ name: u, user: ${user} }]
contexts: [{ name: here, context: { cluster: c, user: u } }, { name: shop, context: { cluster: c, user: u, namespace: shop } }]
${more}
`;
}

const SERVER = '{ server: https://10.0.0.1:6443 }';
const BASE64 = Buffer.from('PEM').toString('base64');

t.test('a kubeconfig has everything in itself, or names files by their path from there', async (t) => {
  const inside = parseKubeconfig(
    config(
      `{ server: "https://k8s.example/clusters/c1/", certificate-authority-data: ${BASE64}, certificate-authority: x, tls-server-name: api }`,
      `{ client-certificate-data: ${BASE64}, client-key-data: ${BASE64} }`,
    ),
    FILE,
    null,
  );
  t.same(inside, {
    server: 'https://k8s.example/clusters/c1/',
    namespace: 'default',
    ca: { text: 'PEM' },
    isVerified: true,
    serverName: 'api',
    cert: { text: 'PEM' },
    key: { text: 'PEM' },
    token: null,
  });
  const outside = parseKubeconfig(
    config(
      '{ server: https://10.0.0.1:6443, certificate-authority: ca.crt, insecure-skip-tls-verify: true }',
      '{ client-certificate: /pki/a.crt, client-key: ../a.key, token: abc, tokenFile: token }',
    ),
    FILE,
    'shop',
  );
  t.same(outside, {
    server: 'https://10.0.0.1:6443',
    namespace: 'shop',
    ca: { path: '/etc/kube/ca.crt' },
    isVerified: false,
    serverName: null,
    cert: { path: '/pki/a.crt' },
    key: { path: '/etc/a.key' },
    token: { path: '/etc/kube/token' },
  });
});

t.test('a kubeconfig may be JSON, and a $ in it has no meaning', async (t) => {
  const user = { name: 'u', user: { token: `\${HOME}` } };
  const text = JSON.stringify({
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:8001' } }],
    users: [user],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'here',
  });
  t.same(parseKubeconfig(text, FILE, null).token, { text: `\${HOME}` });
});

const BAD: readonly [what: string, text: string, name: string | null, message: RegExp][] = [
  ['no YAML', 'a: [', null, /^\/etc\/kube\/config: line 1, column \d+: not YAML/],
  ['a list', '[]', null, /: expected a map as the file$/],
  ['no current context', config(SERVER, '{}', ''), null, /: it has no current-context: write context: NAME$/],
  ['an unknown context', config(SERVER, '{}'), 'prod', /: there is no context "prod", only here, shop$/],
  [
    'an unknown cluster',
    config(SERVER, '{}').replace('name: c,', 'name: d,'),
    null,
    /no cluster "c", only d$/,
  ],
  ['an unknown user', config(SERVER, '{}').replace('name: u,', 'name: v,'), null, /no user "u", only v$/],
  ['no server', config('{}', '{}'), null, /expected a URL as server of the cluster, got ""$/],
  ['a server that is no URL', config('{ server: "10.0.0.1:6443" }', '{}'), null, /expected a URL as server/],
  [
    'a proxy',
    config('{ server: https://a, proxy-url: http://p }', '{}'),
    null,
    /has a proxy-url, and lb uses no proxy$/,
  ],
  [
    'a program',
    config(SERVER, '{ exec: { command: aws } }'),
    null,
    /: the user u has a program \(exec\) that makes credentials, and lb runs none: use token/,
  ],
  ['an auth-provider', config(SERVER, '{ auth-provider: { name: gcp } }'), null, /has an auth-provider/],
  ['a password', config(SERVER, '{ username: a, password: b }'), null, /a user name with a password/],
  ['another user', config(SERVER, '{ as: root }'), null, /another user to act as/],
  ['half a certificate', config(SERVER, '{ client-certificate: a }'), null, /a certificate without a key$/],
  ['half a key', config(SERVER, '{ client-key: a }'), null, /a key without a certificate$/],
  ['a map as a text', config('{ server: { a: b } }', '{}'), null, /expected a text as server$/],
];

for (const [what, text, name, message] of BAD)
  t.test(`a kubeconfig with ${what} is refused`, async (t) => {
    t.throws(() => parseKubeconfig(text, FILE, name), { name: 'ValueError', message });
  });

const SOURCE = {
  kind: 'kubernetes',
  namespace: null,
  service: 'api',
  port: null,
  family: 'auto',
  kubeconfig: null,
  context: null,
} as const;

t.test('in a pod all comes from the service account, read again each time', async (t) => {
  const folder = t.testdir();
  // As the kubelet has it: links into a folder that is replaced as a whole.
  const publish = (name: string, token: string): void => {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries({ token, 'ca.crt': `CA of ${name}`, namespace: 'shop\n' }))
      writeFileSync(join(folder, name, file), text);
    try {
      unlinkSync(join(folder, '..data'));
    } catch {
      // The first one.
    }
    symlinkSync(name, join(folder, '..data'));
  };
  publish('one', 'first\n');
  for (const file of ['token', 'ca.crt', 'namespace']) symlinkSync(`..data/${file}`, join(folder, file));
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
  const read = accessReader(SOURCE, { env, folder });
  t.match(await read(), {
    isSecure: true,
    host: 'fd00::1',
    port: 6443,
    namespace: 'shop',
    ca: 'CA of one',
    token: 'first',
    serverName: null,
    isVerified: true,
  });
  publish('two', 'second');
  t.match(await read(), { ca: 'CA of two', token: 'second' });
  t.match(await accessReader({ ...SOURCE, namespace: 'other' }, { env, folder })(), { namespace: 'other' });
});

t.test('outside of a cluster it says what is missing', async (t) => {
  await t.rejects(accessReader(SOURCE, { env: {}, folder: '/nowhere' })(), {
    name: 'ValueError',
    message: /^KUBERNETES_SERVICE_HOST is not set, .* write kubeconfig: PATH$/,
  });
  await t.rejects(accessReader(SOURCE, { env: { KUBERNETES_SERVICE_HOST: '::1' }, folder: '/nowhere' })(), {
    message: '/nowhere/namespace cannot be read: there is no such file',
  });
  await t.rejects(accessReader({ ...SOURCE, kubeconfig: '/nowhere/config' })(), {
    message: '/nowhere/config cannot be read: there is no such file',
  });
});

t.test('files of a kubeconfig are read each time, and a token is sent over TLS only', async (t) => {
  const folder = t.testdir({ token: 'first', 'ca.crt': 'CA' });
  const kubeconfig = join(folder, 'config');
  const write = (server: string): void =>
    writeFileSync(
      kubeconfig,
      config(`{ server: "${server}", certificate-authority: ca.crt }`, '{ tokenFile: token }'),
    );
  write('https://k8s.example/clusters/c1/');
  const read = accessReader({ ...SOURCE, kubeconfig });
  t.match(await read(), {
    host: 'k8s.example',
    serverName: 'k8s.example',
    port: 443,
    prefix: '/clusters/c1',
    namespace: 'default',
    ca: 'CA',
    token: 'first',
  });
  writeFileSync(join(folder, 'token'), 'second\n');
  t.match(await read(), { token: 'second' });
  write('http://[::1]:8001');
  t.match(await read(), {
    isSecure: false,
    host: '::1',
    port: 8001,
    prefix: '',
    token: null,
    serverName: null,
  });
});
