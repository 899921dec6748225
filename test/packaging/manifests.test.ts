import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import t from 'tap';
import { systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import { loadConfig } from '../../lib/config/config.js';
import { sourcesOf } from '../../lib/config/inventory.js';
import { KubernetesSource } from '../../lib/discovery/kubernetes-source.js';
import { ROOT } from '../docs/markdown.js';
import { startCluster } from '../support/kubernetes.js';
import { until } from '../support/loop-ticks.js';

/** The parts of the manifest that depend on each other, or on lb. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: { readonly [file: string]: string };
  readonly spec?: Spec;
  /** Of a Role. */
  readonly rules?: readonly object[];
  /** Of a RoleBinding. */
  readonly subjects?: readonly object[];
  readonly roleRef?: object;
}

interface Spec {
  readonly selector: { readonly matchLabels?: object };
  readonly ports?: readonly { readonly targetPort: string }[];
  readonly template?: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
}

interface Pod {
  readonly serviceAccountName: string;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly configMap: { readonly name: string } }[];
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const TOKENS = { LB_ADMIN_TOKEN: '0123456789abcdef', LB_READ_TOKEN: 'fedcba9876543210' };

const text = readFileSync(join(ROOT, 'packaging/kubernetes/lb.yaml'), 'utf8');
const manifests = loadAll(text) as Manifest[];
const find = (kind: string): Manifest => manifests.find((one) => one.kind === kind) as Manifest;
const pod = find('Deployment').spec?.template?.spec as Pod;
const [container] = pod.containers as [Container];

t.test('the manifests have objects of versions that Kubernetes serves', async (t) => {
  t.same(
    manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
    [
      'v1 ConfigMap',
      'v1 ServiceAccount',
      'rbac.authorization.k8s.io/v1 Role',
      'rbac.authorization.k8s.io/v1 RoleBinding',
      'apps/v1 Deployment',
      'v1 Service',
      'policy/v1 PodDisruptionBudget',
    ],
  );
  const labels = find('Deployment').spec?.template?.metadata.labels;
  t.same(find('Deployment').spec?.selector.matchLabels, labels);
  t.same(find('Service').spec?.selector, labels);
  t.same(find('PodDisruptionBudget').spec?.selector.matchLabels, labels);
});

t.test(
  'the service account of the pod may do what the source of servers does, and nothing else',
  async (t) => {
    const { name } = find('ServiceAccount').metadata;
    t.equal(pod.serviceAccountName, name);
    t.notMatch(text, /automountServiceAccountToken: false/, 'its token is in the pod');
    t.same(find('RoleBinding').subjects, [{ kind: 'ServiceAccount', name, namespace: 'default' }]);
    const role = find('Role');
    t.same(find('RoleBinding').roleRef, {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'Role',
      name: role.metadata.name,
    });
    t.same(role.rules, [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]);
    const { api, source } = await startCluster(t);
    api.set('app-1', { service: 'app', endpoints: [{ address: '10.0.0.1' }] });
    const wheel = new TimerWheel(systemClock);
    const followed = new KubernetesSource(source({ service: 'app' }), { wheel });
    t.teardown(() => {
      followed.stop();
      wheel.close();
    });
    followed.ask({ onServers: () => {}, onFailed: (reason) => t.fail(reason) });
    await until(() => api.watches === 1);
    const verbs = api.requests.map(({ query }) => (query.get('watch') === '1' ? 'watch' : 'list'));
    t.same(verbs, ['list', 'watch']);
  },
);

t.test('the settings in the ConfigMap are good, and the pod uses them', async (t) => {
  const settings = find('ConfigMap').data?.['loadbalancer.yaml'] ?? '';
  const result = loadConfig(settings, { env: TOKENS, needsRoute: true });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  t.same(result.warnings, []);
  const { config } = result;
  t.match(
    [...sourcesOf(config).values()],
    [{ text: 'kubernetes app:http', source: { namespace: null, kubeconfig: null } }],
  );
  const port = (name: string): number | undefined =>
    container.ports.find((one) => one.name === name)?.containerPort;
  t.match(config.listen, [{ address: { port: port('http') } }]);
  t.match(config.admin?.listen, { port: port('admin') });
  t.same(container.readinessProbe.httpGet, { path: config.readinessPath, port: 'http' });
  t.same(container.livenessProbe.httpGet, { path: '/livez', port: 'admin' });
  t.equal(find('Service').spec?.ports?.[0]?.targetPort, 'http');
  const leave = (config.timeouts.drainDelay + config.timeouts.drain) / 1000;
  t.ok(pod.terminationGracePeriodSeconds > leave, 'it is killed after all deadlines of its end');
});

t.test('the pod has what the image needs, and nothing else', async (t) => {
  t.same(container.args, ['-c', '/etc/lb/loadbalancer.yaml', '--watch']);
  t.match(container.volumeMounts, [{ name: 'settings', mountPath: '/etc/lb' }]);
  t.match(pod.volumes, [{ name: 'settings', configMap: { name: find('ConfigMap').metadata.name } }]);
  t.equal(pod.securityContext.runAsNonRoot, true);
  t.same(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
});

t.test('the settings of the compose example are good, and compose gives lb the time to stop', async (t) => {
  const folder = join(ROOT, 'packaging/docker');
  const result = loadConfig(readFileSync(join(folder, 'lb/loadbalancer.yaml'), 'utf8'), { needsRoute: true });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  t.same(result.warnings, []);
  const compose = readFileSync(join(folder, 'compose.yml'), 'utf8');
  const [, grace] = /stop_grace_period: (\d+)s/.exec(compose) ?? [];
  t.ok(Number(grace) > (result.config.timeouts.drainDelay + result.config.timeouts.drain) / 1000);
});

t.test('.dockerignore lets through what the image is built from', async (t) => {
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const allowed = read('.dockerignore')
    .split('\n')
    .flatMap((line) => /^!(.*)/.exec(line)?.[1] ?? []);
  const { files } = JSON.parse(read('package.json')) as { files: string[] };
  const { include } = JSON.parse(read('tsconfig.json')) as { include: string[] };
  const built = [
    'package.json',
    'package-lock.json',
    '.npmrc',
    'tsconfig.json',
    'LICENSE',
    'README.md',
    'packaging',
  ];
  const sources = [...include.filter((pattern) => !pattern.startsWith('test/')), ...files, ...built];
  const needed = sources.filter((path) => !/^!|^dist\b/.test(path)).map((path) => path.split('/')[0] ?? '');
  t.same(
    [...new Set(needed)].filter((path) => !allowed.includes(path)),
    [],
  );
  t.same(
    allowed.filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});
