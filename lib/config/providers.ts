import { isIP } from 'node:net';
import { basename, dirname } from 'node:path';
import { parseServerAddress } from '../base/server-address.js';
import { ValueError } from '../base/units.js';
import { compileDockerSource } from './docker.js';
import { type FileReader, readCertificates } from './pem-files.js';
import { duration } from './quantities.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import { maskUrls } from './secrets.js';
import type {
  DurationSetting,
  HttpSourceSettings,
  KubernetesSourceSettings,
  ServerSettings,
} from './settings.js';
import type { Path } from './tree.js';
import type {
  DnsFamily,
  FileSourceConfig,
  HttpSourceConfig,
  KubernetesSourceConfig,
  ProviderConfig,
  SourceConfig,
} from './types.js';

/** A source of servers as it is written, and what is asked. */
export interface Source {
  /** The source as people write it: `file /etc/lb/targets/*.json`. */
  readonly text: string;
  readonly config: SourceConfig;
  /** Does it say that connections to its servers are encrypted? */
  readonly isSecure?: boolean;
}

/** What the compiler of a kind needs besides the entry. */
interface KindDeps {
  readonly report: Report;
  readonly files: FileReader;
  /** `docker` at the top of the file. */
  readonly docker: ProviderConfig | null;
}

/** Compiles the entry at `path`. undefined: a problem was reported. */
type CompileKind = (entry: ServerSettings, path: Path, deps: KindDeps) => Source | undefined;

/** Every key that stands for an address: where the servers come from in its place. */
const KINDS = {
  dns: compileDns,
  srv: compileSrv,
  file: compileFile,
  http: compileHttp,
  kubernetes: compileKubernetes,
  docker: compileDockerEntry,
} as const satisfies Partial<Record<keyof ServerSettings, CompileKind>>;

type Kind = keyof typeof KINDS;

const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/** The kinds of sources that an entry has a key of. */
export function kindsOf(entry: ServerSettings): readonly Kind[] {
  return KIND_NAMES.filter((kind) => Object.hasOwn(entry, kind));
}

/** Compiles the source of an entry. undefined: a problem was reported, here or by the schema. */
export function compileSource(
  kind: Kind,
  entry: ServerSettings,
  path: Path,
  deps: KindDeps,
): Source | undefined {
  return entry[kind] === undefined ? undefined : KINDS[kind](entry, path, deps);
}

/** Keys that only some kinds have. */
const KEYS_OF: { readonly [key in 'family' | 'every']: readonly Kind[] } = {
  family: ['dns', 'srv', 'kubernetes'],
  every: ['http'],
};

/** Reports keys of an entry that its source does not have; `kind` is null for a plain server. */
export function refuseStrayKeys(entry: ServerSettings, kind: Kind | null, path: Path, report: Report): void {
  for (const [key, kinds] of Object.entries(KEYS_OF) as [keyof typeof KEYS_OF, readonly Kind[]][]) {
    if (entry[key] === undefined || (kind !== null && kinds.includes(kind))) continue;
    report.problem([...path, key], `only for ${kinds.join(', ').replace(/, (\w+)$/, ' or $1')}`, '', 'key');
  }
}

function compileDns(
  { dns = '', family: asked }: ServerSettings,
  path: Path,
  { report }: KindDeps,
): Source | undefined {
  const family: DnsFamily = asked ?? 'auto';
  return report.attempt([...path, 'dns'], () => {
    const { address, scheme } = parseServerAddress(dns);
    if (address.kind === 'unix' || isIP(address.host) !== 0)
      throw new ValueError(
        `expected a host name with a port, got ${JSON.stringify(dns)}`,
        address.kind === 'unix' ? '' : `An address is a plain server: - ${address.text}`,
      );
    const name = address.host.toLowerCase();
    const isSecure = scheme === 'https';
    const text = `dns ${isSecure ? 'https://' : ''}${address.text}${familyText(family)}`;
    return { text, isSecure, config: { kind: 'dns', name, port: address.port, family } };
  });
}

function compileSrv(
  { srv = '', family: asked }: ServerSettings,
  path: Path,
  { report }: KindDeps,
): Source | undefined {
  const family: DnsFamily = asked ?? 'auto';
  return report.attempt([...path, 'srv'], () => {
    const name = srv.toLowerCase().replace(/\.$/, '');
    const isName = name.length <= 253 && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name);
    if (!isName)
      throw new ValueError(
        `expected a name such as _http._tcp.api.internal, got ${JSON.stringify(srv)}`,
        /:\d+$/.test(srv) ? 'The records have the ports.' : '',
      );
    return { text: `srv ${name}${familyText(family)}`, config: { kind: 'srv', name, family } };
  });
}

function compileDockerEntry({ docker }: ServerSettings, path: Path, deps: KindDeps): Source | undefined {
  if (docker === undefined) return undefined;
  return compileDockerSource(docker, [...path, 'docker'], deps.docker, deps);
}

function familyText(family: DnsFamily): string {
  return family === 'auto' ? '' : ` (${family})`;
}

const { every: EVERY } = defaultsOf<{ readonly every: number }>('server');
const { timeout: TIMEOUT } = defaultsOf<{ readonly timeout: number }>('httpSource');

function compileHttp({ http, every }: ServerSettings, path: Path, deps: KindDeps): Source | undefined {
  const { report, files } = deps;
  const at = [...path, 'http'];
  const settings: Partial<HttpSourceSettings> = typeof http === 'string' ? { url: http } : (http ?? {});
  const { url: written, ca, headers, timeout } = settings;
  if (written === undefined) return undefined;
  const url = report.attempt(typeof http === 'string' ? at : [...at, 'url'], () => readUrl(written));
  if (url === undefined) return undefined;
  const fields: { name: string; value: string }[] = [];
  for (const [name, written] of Object.entries(headers ?? {})) {
    const value = String(written);
    const isGood = report.attempt([...at, 'headers', name], () => checkField(name, value)) === true;
    if (isGood && written !== undefined) fields.push({ name, value });
  }
  const config: HttpSourceConfig = {
    kind: 'http',
    url,
    every: intervalOf(every, [...path, 'every'], report),
    timeout: duration(timeout, TIMEOUT, [...at, 'timeout'], report, 1),
    ca: ca === undefined ? null : (report.attempt([...at, 'ca'], () => readCertificates(ca, files)) ?? null),
    headers: fields,
  };
  return { text: `http ${maskUrls(url)}`, config };
}

function intervalOf(every: DurationSetting | undefined, path: Path, report: Report): number {
  const ms = duration(every, EVERY, path, report);
  if (ms < 1000) report.problem(path, `expected 1s or more, got ${every}`);
  return ms;
}

function readUrl(text: string): string {
  if (!URL.canParse(text)) throw new ValueError(`expected a URL, got ${JSON.stringify(text)}`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new ValueError('a URL cannot have a password here', 'Write headers: { Authorization: ... }.');
  return url.href;
}

/** RFC 9110, 5.6.2 */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Throws a ValueError when a request cannot carry such a field. */
export function checkField(name: string, value: string): true {
  if (!TOKEN.test(name)) throw new ValueError(`expected the name of a header, got ${JSON.stringify(name)}`);
  if (!/^[\t -~]*$/.test(value)) throw new ValueError('expected visible ASCII characters');
  return true;
}

const WILD = /[*?]/;

function compileFile(
  { file = '' }: ServerSettings,
  path: Path,
  { report, files }: KindDeps,
): Source | undefined {
  return report.attempt([...path, 'file'], () => {
    const full = files.resolveFile(file);
    const [folder, pattern] = [dirname(full), basename(full)];
    if (WILD.test(folder))
      throw new ValueError(
        'only the last part of the path may have * and ?',
        `Write ${folder.replace(/\/[^/]*[*?].*$/, '')}/${pattern}.`,
      );
    if (!/\.(json|ya?ml)$/.test(pattern))
      throw new ValueError(
        `expected files that end in .json, .yml or .yaml, got ${JSON.stringify(file)}`,
        'The end of the name says which format a file has.',
      );
    const config: FileSourceConfig = { kind: 'file', folder, pattern };
    return { text: `file ${file}`, config };
  });
}

/** RFC 1123, as the API server has it. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function compileKubernetes(
  { kubernetes, family: asked }: ServerSettings,
  path: Path,
  { report, files }: KindDeps,
): Source | undefined {
  const at = [...path, 'kubernetes'];
  const isShort = typeof kubernetes === 'string';
  const settings: Partial<KubernetesSourceSettings> = isShort ? { service: kubernetes } : (kubernetes ?? {});
  const { service: written, port: writtenPort, kubeconfig, context } = settings;
  if (written === undefined) return undefined;
  const name = report.attempt(isShort ? at : [...at, 'service'], () => readService(written));
  const port = report.attempt([...at, 'port'], () => readPort(writtenPort));
  if (context !== undefined && kubeconfig === undefined)
    report.problem([...at, 'context'], 'needs kubeconfig', '', 'key');
  if (name === undefined || port === undefined) return undefined;
  const family: DnsFamily = asked ?? 'auto';
  const config: KubernetesSourceConfig = {
    kind: 'kubernetes',
    ...name,
    port: port.value,
    family,
    kubeconfig: kubeconfig === undefined ? null : files.resolveFile(kubeconfig),
    context: context ?? null,
  };
  const place = context === undefined ? '' : ` in ${context}`;
  return {
    text: `kubernetes ${written}${port.value === null ? '' : `:${port.value}`}${place}${familyText(family)}`,
    config,
  };
}

function readService(text: string): Pick<KubernetesSourceConfig, 'namespace' | 'service'> {
  const parts = text.split('/');
  if (parts.length > 2 || !parts.every((part) => LABEL.test(part)))
    throw new ValueError(
      `expected a Service such as default/api, got ${JSON.stringify(text)}`,
      /:\w+$/.test(text) ? 'Write { service: default/api, port: http }.' : '',
    );
  const [service = '', namespace = null] = parts.reverse();
  return { namespace, service };
}

/** Digits in quotes are a number too: the name of a port has a letter. */
function readPort(port: string | number | undefined): { readonly value: KubernetesSourceConfig['port'] } {
  if (port === undefined) return { value: null };
  const number = /^\d+$/.test(String(port)) ? Number(port) : null;
  if (number === null ? !LABEL.test(String(port)) : number < 1 || number > 65_535)
    throw new ValueError(`expected the name of a port or its number, got ${JSON.stringify(port)}`);
  return { value: number ?? String(port) };
}
