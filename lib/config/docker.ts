import { identityOf } from '../base/identity.js';
import { ValueError } from '../base/units.js';
import type { FileReader } from './pem-files.js';
import { readCertificates, readKey } from './pem-files.js';
import { each, type Report } from './report.js';
import type { DockerSetting, DockerSettings, DockerSourceSetting } from './settings.js';
import type { Path } from './tree.js';
import type {
  ContainerChoice,
  ContainerLabel,
  DockerEngineConfig,
  DockerSourceConfig,
  ProviderConfig,
} from './types.js';

interface Deps {
  readonly report: Report;
  readonly files: FileReader;
}

const ANY_ENGINE: DockerEngineConfig = { socket: null, tls: null };

/** Compiles `docker` at the top of the file. null: labels of containers make no routes. */
export function compileDocker(setting: DockerSetting | undefined, deps: Deps): ProviderConfig | null {
  if (setting === undefined || setting === false) return null;
  const settings = setting === true ? {} : setting;
  const engine = compileEngine(settings, ['docker'], deps) ?? ANY_ENGINE;
  const labels = compileLabels(settings.label, ['docker', 'label'], deps.report);
  const source: DockerSourceConfig = {
    kind: 'docker',
    engine,
    choice: { kind: 'routes', labels },
    port: null,
    network: settings.network ?? null,
  };
  const text = ['docker routes', ...labels.map(labelText)].join(' ');
  const terms = { weight: 1, backup: false, maxConnections: 0, tls: null, sendProxy: null };
  return { text: `${text}${engineText(engine)}`, key: identityOf(source), source, terms };
}

/** Compiles a source of servers. `shared`: `docker` at the top of the file. undefined: a problem was reported. */
export function compileDockerSource(
  setting: DockerSourceSetting,
  path: Path,
  shared: ProviderConfig | null,
  deps: Deps,
): { readonly text: string; readonly config: DockerSourceConfig } | undefined {
  const settings = typeof setting === 'string' ? { label: setting } : setting;
  const { label, route, port = null } = settings;
  if ((label === undefined) === (route === undefined)) {
    const message =
      label === undefined
        ? 'expected a label that the containers have'
        : 'label and route cannot both be set';
    deps.report.problem(path, message, label === undefined ? 'Write label: lb.service=api.' : '', 'key');
    return undefined;
  }
  const labels = compileLabels(label, typeof setting === 'string' ? path : [...path, 'label'], deps.report);
  const top = shared?.source.kind === 'docker' ? shared.source : null;
  const own = compileEngine(settings, path, deps);
  const engine = own ?? top?.engine ?? ANY_ENGINE;
  const network = settings.network ?? top?.network ?? null;
  const around = own === undefined ? (top?.choice.labels ?? []) : [];
  const choice: ContainerChoice =
    route === undefined ? { kind: 'labels', labels } : { kind: 'route', route, labels: around };
  const what = route === undefined ? labels.map(labelText).join(' ') : `route ${route}`;
  const text = `docker ${what}${port === null ? '' : `, port ${port}`}${engineText(engine)}`;
  return { text, config: { kind: 'docker', engine, choice, port, network } };
}

/** undefined: no engine is named. */
function compileEngine(
  { socket, tls }: Pick<DockerSettings, 'socket' | 'tls'>,
  path: Path,
  { report, files }: Deps,
): DockerEngineConfig | undefined {
  if (socket === undefined) {
    if (tls !== undefined) report.problem([...path, 'tls'], 'only for socket: tcp://...', '', 'key');
    return undefined;
  }
  const isTcp = socket.startsWith('tcp:');
  if (!isTcp && tls !== undefined) report.problem([...path, 'tls'], 'a Unix socket has no TLS', '', 'key');
  if (!isTcp || tls === undefined) return { socket, tls: null };
  const at = [...path, 'tls'];
  const pem = (which: 'ca' | 'cert'): string | null => {
    const name = tls[which];
    return name === undefined
      ? null
      : (report.attempt([...at, which], () => readCertificates(name, files)) ?? null);
  };
  const cert = pem('cert');
  const key = tls.key ?? tls.cert;
  if (tls.key !== undefined && tls.cert === undefined)
    report.problem([...at, 'key'], 'there is no cert that the key belongs to');
  const own =
    cert === null || key === undefined
      ? null
      : (report.attempt([...at, tls.key === undefined ? 'cert' : 'key'], () =>
          readKey(key, cert, undefined, files),
        ) ?? null);
  return { socket, tls: { ca: pem('ca'), cert, key: own } };
}

function compileLabels(
  setting: string | readonly string[] | undefined,
  path: Path,
  report: Report,
): ContainerLabel[] {
  const labels: ContainerLabel[] = [];
  const written = typeof setting === 'string' ? [[setting, path] as const] : each(setting, path);
  for (const [text, at] of written) {
    const label = report.attempt(at, () => readLabel(text));
    if (label !== undefined) labels.push(label);
  }
  return labels;
}

function readLabel(text: string): ContainerLabel {
  const [, name = '', value = null] = /^([^=\s]+)(?:=(.*))?$/s.exec(text) ?? [];
  if (name === '')
    throw new ValueError(`expected a label such as lb.service=api, got ${JSON.stringify(text)}`);
  return { name, value };
}

function labelText({ name, value }: ContainerLabel): string {
  return value === null ? name : `${name}=${value}`;
}

function engineText({ socket }: DockerEngineConfig): string {
  return socket === null ? '' : ` at ${socket}`;
}
