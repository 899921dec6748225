import { isIP } from 'node:net';
import { join } from 'node:path';
import { readRegularFileAsync, whyUnreadable } from '../base/regular-file.js';
import { systemAuthorities } from '../base/system-authorities.js';
import { ValueError } from '../base/units.js';
import type { KubernetesSourceConfig } from '../config/types.js';
import { type Context, MOST_KUBECONFIG_BYTES, parseKubeconfig } from './kubeconfig.js';

/** Where an API server is, and how it is asked. */
export interface Access {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  /** What stands before `/apis`: empty, or a path without a slash at its end. */
  readonly prefix: string;
  readonly namespace: string;
  /** Is the certificate of the API server verified? */
  readonly isVerified: boolean;
  /** Authorities in PEM. */
  readonly ca: string | string[];
  /** The name in the certificate; null: the host. */
  readonly serverName: string | null;
  /** The certificate and key of the client, in PEM. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly token: string | null;
}

/** What a pod knows of the cluster that it runs in. */
export interface PodSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the service account: `token`, `ca.crt`, `namespace`. */
  readonly folder: string;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Far more than certificates and tokens have. */
const MOST_BYTES = 1024 * 1024;

/**
 * Returns what reads the access of a source. It reads all files again: the kubelet replaces the token before it expires,
 * and authorities are replaced too. Rejects with a ValueError that says what is wrong and where.
 */
export function accessReader(
  { kubeconfig, context, namespace }: KubernetesSourceConfig,
  { env, folder }: PodSurroundings = { env: process.env, folder: SERVICE_ACCOUNT },
): () => Promise<Access> {
  if (kubeconfig === null) return () => accessOfPod(namespace, env, folder);
  return async () => {
    const text = await textOf(kubeconfig, MOST_KUBECONFIG_BYTES);
    const found = parseKubeconfig(text, kubeconfig, context);
    return accessOfContext(found, namespace ?? found.namespace);
  };
}

async function accessOfPod(
  namespace: string | null,
  env: PodSurroundings['env'],
  folder: string,
): Promise<Access> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === '')
    throw new ValueError(
      'KUBERNETES_SERVICE_HOST is not set, as it is in every pod: outside of a cluster write kubeconfig: PATH',
    );
  const read = async (name: string): Promise<string> => (await textOf(join(folder, name), MOST_BYTES)).trim();
  return {
    isSecure: true,
    host,
    port: Number(port),
    prefix: '',
    namespace: namespace ?? (await read('namespace')),
    isVerified: true,
    ca: await read('ca.crt'),
    serverName: null,
    cert: null,
    key: null,
    token: await read('token'),
  };
}

async function accessOfContext(
  { server, ca, isVerified, serverName, cert, key, token }: Context,
  namespace: string,
): Promise<Access> {
  const url = new URL(server);
  const isSecure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const read = async (pem: Context['ca']): Promise<string | null> =>
    pem === null ? null : 'text' in pem ? pem.text : await textOf(pem.path, MOST_BYTES);
  return {
    isSecure,
    host,
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    prefix: url.pathname.replace(/\/+$/, ''),
    namespace,
    isVerified,
    ca: (await read(ca)) ?? systemAuthorities(),
    serverName: serverName ?? (isIP(host) === 0 ? host : null),
    cert: await read(cert),
    key: await read(key),
    // As kubectl does it: what is secret is not sent in the clear.
    token: isSecure ? ((await read(token))?.trim() ?? null) : null,
  };
}

async function textOf(path: string, maxBytes: number): Promise<string> {
  try {
    return await readRegularFileAsync(path, maxBytes);
  } catch (error) {
    throw new ValueError(`${path} cannot be read: ${whyUnreadable(error)}`);
  }
}
