import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { KubernetesApi } from '../../fixtures/kubernetes-api.js';
import type { KubernetesSourceConfig } from '../../lib/config/types.js';
import { type IssuedCertificate, TestAuthority } from './certificates.js';

/** A token as service accounts have it, for tests. */
export const TOKEN = 'token-of-lb';

let made: Promise<{ readonly authority: TestAuthority; readonly issued: IssuedCertificate }> | null = null;

/** The authority and certificate of all API servers of a process. */
async function apiCertificate() {
  made ??= TestAuthority.create('kubernetes').then(async (authority) => ({
    authority,
    issued: await authority.issue({ names: ['127.0.0.1', 'kubernetes.default.svc'] }),
  }));
  return await made;
}

/** An API server of a test, and a kubeconfig that leads there. */
export interface Cluster {
  readonly api: KubernetesApi;
  readonly authority: TestAuthority;
  readonly folder: string;
  /** Of a user with the token, in a file. */
  readonly kubeconfig: string;
  /** The settings of a source over it. */
  source(more?: Partial<KubernetesSourceConfig>): KubernetesSourceConfig;
}

/** Starts an API server that knows TOKEN only, and ends it after the test. */
export async function startCluster(t: Test): Promise<Cluster> {
  const { authority, issued } = await apiCertificate();
  const api = await KubernetesApi.start({ ...issued, clientCa: authority.cert });
  api.tokens = [TOKEN];
  const folder = mkdtempSync(join(tmpdir(), 'lb-kubernetes-'));
  t.teardown(async () => {
    await api.close();
    rmSync(folder, { recursive: true });
  });
  const kubeconfig = join(folder, 'kubeconfig.yaml');
  writeFileSync(kubeconfig, kubeconfigText(api.port, authority.cert, `token: ${TOKEN}`));
  const source = (more: Partial<KubernetesSourceConfig> = {}): KubernetesSourceConfig => ({
    kind: 'kubernetes',
    namespace: null,
    service: 'api',
    port: null,
    family: 'auto',
    kubeconfig,
    context: null,
    ...more,
  });
  return { api, authority, folder, kubeconfig, source };
}

/** As kubectl writes it. `user`: lines of the user's credentials. */
export function kubeconfigText(port: number, ca: string, ...user: readonly string[]): string {
  return `apiVersion: v1
kind: Config
current-context: test
preferences: {}
clusters:
- name: local
  cluster:
    certificate-authority-data: ${Buffer.from(ca).toString('base64')}
    server: https://127.0.0.1:${port}
contexts:
- name: test
  context:
    cluster: local
    user: lb
users:
- name: lb
  user:
${user.map((line) => `    ${line}`).join('\n')}
`;
}
