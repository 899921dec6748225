import { dirname, resolve } from 'node:path';
import { type Fields, mapOf } from '../base/json.js';
import { ValueError } from '../base/units.js';
import { LineIndex } from '../config/line-index.js';
import { loadTree } from '../config/load.js';
import { toValue } from '../config/tree.js';

/** With the certificates of some hundred clusters in it. */
export const MOST_KUBECONFIG_BYTES = 4 * 1024 * 1024;

/** A text that is in the kubeconfig, or in a file that it names by an absolute path. */
export type TextOrFile = { readonly text: string } | { readonly path: string };

/** What a kubeconfig says of one context: a cluster, a user and a namespace. */
export interface Context {
  /** The URL of the API server. */
  readonly server: string;
  readonly namespace: string;
  /** The authorities of the API server in PEM; null: those of the system. */
  readonly ca: TextOrFile | null;
  readonly isVerified: boolean;
  /** The name in the certificate of the API server; null: the host of the URL. */
  readonly serverName: string | null;
  /** The certificate and key of the client, in PEM. */
  readonly cert: TextOrFile | null;
  readonly key: TextOrFile | null;
  readonly token: TextOrFile | null;
}

/** Ways to log in that are not taken, and what to do. lb starts no programs for others. */
const REFUSED: readonly (readonly [key: string, what: string])[] = [
  ['exec', 'a program (exec) that makes credentials, and lb runs none'],
  ['auth-provider', 'an auth-provider, which lb does not have'],
  ['username', 'a user name with a password, which API servers do not take any more'],
  ['as', 'another user to act as, which lb does not ask for'],
];
const ADVICE = 'use token, tokenFile or client-certificate, such as those of a service account';

/**
 * Reads a context of a kubeconfig, in YAML or JSON; `name` null: its current-context. `path`: the file, which relative paths
 * in it go by. Throws a ValueError that says what is wrong and where.
 */
export function parseKubeconfig(text: string, path: string, name: string | null): Context {
  // A $ in it is a $: kubectl expands no variables either.
  const { document, faults } = loadTree(text, null);
  const [fault] = faults;
  if (fault !== undefined) {
    const { line, column } = new LineIndex(text).of(fault.span);
    throw new ValueError(`${path}: line ${line}, column ${column}: ${fault.message}`);
  }
  try {
    return readContext(mapOf(document === undefined ? null : toValue(document), 'the file'), path, name);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`${path}: ${error.message}`);
  }
}

function readContext(file: Fields, path: string, name: string | null): Context {
  const wanted = name ?? textIn(file, 'current-context');
  if (wanted === null) throw new ValueError('it has no current-context: write context: NAME');
  const context = entryOf(file, 'context', wanted);
  const cluster = entryOf(file, 'cluster', textIn(context, 'cluster') ?? '');
  const user = textIn(context, 'user');
  const proxy = textIn(cluster, 'proxy-url');
  if (proxy !== null) throw new ValueError('the cluster has a proxy-url, and lb uses no proxy');
  const login = user === null ? {} : entryOf(file, 'user', user);
  for (const [key, what] of REFUSED)
    if (Object.hasOwn(login, key)) throw new ValueError(`the user ${user} has ${what}: ${ADVICE}`);
  const place = dirname(path);
  const [cert, key] = [
    textOrFile(login, 'client-certificate', place),
    textOrFile(login, 'client-key', place),
  ];
  if ((cert === null) !== (key === null))
    throw new ValueError(
      `the user ${user} has a ${cert === null ? 'key without a certificate' : 'certificate without a key'}`,
    );
  return {
    server: serverOf(cluster),
    namespace: textIn(context, 'namespace') ?? 'default',
    ca: textOrFile(cluster, 'certificate-authority', place),
    isVerified: cluster['insecure-skip-tls-verify'] !== true,
    serverName: textIn(cluster, 'tls-server-name'),
    cert,
    key,
    token: tokenOf(login, place),
  };
}

function serverOf(cluster: Fields): string {
  const server = textIn(cluster, 'server') ?? '';
  if (!/^https?:\/\//i.test(server) || !URL.canParse(server))
    throw new ValueError(`expected a URL as server of the cluster, got ${JSON.stringify(server)}`);
  return server;
}

/** The file has precedence, because it is replaced before its token expires. */
function tokenOf(login: Fields, place: string): TextOrFile | null {
  const file = textIn(login, 'tokenFile');
  if (file !== null) return { path: resolve(place, file) };
  const text = textIn(login, 'token');
  return text === null ? null : { text };
}

/** What is in the file itself (`…-data`, in base64) has precedence. */
function textOrFile(map: Fields, key: string, place: string): TextOrFile | null {
  const data = textIn(map, `${key}-data`);
  if (data !== null) return { text: Buffer.from(data, 'base64').toString() };
  const file = textIn(map, key);
  return file === null ? null : { path: resolve(place, file) };
}

/** The entry of that name in `contexts`, `clusters` or `users`. */
function entryOf(file: Fields, kind: 'context' | 'cluster' | 'user', name: string): Fields {
  const list = file[`${kind}s`];
  const entries = (Array.isArray(list) ? list : []).map((entry) => mapOf(entry, `an entry of ${kind}s`));
  const found = entries.find((entry) => textIn(entry, 'name') === name);
  if (found !== undefined) return mapOf(found[kind], `the ${kind} ${name}`);
  const names = entries.map((entry) => textIn(entry, 'name')).join(', ');
  throw new ValueError(`there is no ${kind} ${JSON.stringify(name)}${names === '' ? '' : `, only ${names}`}`);
}

/** null: it is not there, or empty. Numbers are texts too, such as a token without letters. */
function textIn(map: Fields, key: string): string | null {
  const value = Object.hasOwn(map, key) ? map[key] : null;
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'object') throw new ValueError(`expected a text as ${key}`);
  return String(value);
}
