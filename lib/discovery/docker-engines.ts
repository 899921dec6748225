import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { identityOf } from '../base/identity.js';
import { readRegularFile, whyUnreadable } from '../base/regular-file.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import { ValueError } from '../base/units.js';
import type { DockerEngineConfig } from '../config/types.js';
import { DockerClient, type DockerEndpoint, type EngineTls } from './docker-client.js';
import { DockerWatch } from './docker-watch.js';

/** What of the environment says where the engine is. */
export interface DockerEnvironment {
  readonly DOCKER_HOST?: string | undefined;
  readonly DOCKER_TLS_VERIFY?: string | undefined;
  readonly DOCKER_CERT_PATH?: string | undefined;
}

export interface DockerEnginesDeps {
  readonly wheel: TimerWheel;
  /** By default that of the process. */
  readonly env?: DockerEnvironment;
  /** The container that this process is in, by the beginning of its id; by default it is found out. */
  readonly self?: string | null;
}

const DEFAULT_SOCKET = '/var/run/docker.sock';
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/** The engines that sources ask, each watched once, whichever sources ask it. */
export class DockerEngines {
  readonly #deps: DockerEnginesDeps;
  readonly #watches = new Map<string, DockerWatch>();
  #self: string | null | undefined;

  constructor(deps: DockerEnginesDeps) {
    this.#deps = deps;
    this.#self = deps.self;
  }

  /** Nothing is asked before somebody asks the watch. Throws a ValueError when the environment makes no sense. */
  watch(config: DockerEngineConfig): DockerWatch {
    const key = identityOf(config);
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const endpoint = endpointOf(config, this.#deps.env ?? process.env);
    this.#self ??= ownContainer();
    const { wheel } = this.#deps;
    const watch = new DockerWatch({
      client: openClient(endpoint, wheel),
      wheel,
      machine: endpoint.kind === 'unix' ? '127.0.0.1' : endpoint.host,
      self: this.#self,
    });
    this.#watches.set(key, watch);
    return watch;
  }
}

function openClient(endpoint: DockerEndpoint, wheel: TimerWheel): DockerClient {
  try {
    return new DockerClient(endpoint, wheel);
  } catch (error) {
    throw new ValueError(`the certificates for the engine cannot be used: ${(error as Error).message}`);
  }
}

/** Where an engine is, as the settings or the environment say. Throws a ValueError. */
export function endpointOf({ socket, tls }: DockerEngineConfig, env: DockerEnvironment): DockerEndpoint {
  if (socket !== null) return parseEngine(socket, tls);
  const { DOCKER_HOST: host = '', DOCKER_TLS_VERIFY: verify = '' } = env;
  if (host === '') return { kind: 'unix', path: DEFAULT_SOCKET };
  try {
    return parseEngine(host, verify === '' || !host.startsWith('tcp:') ? null : environmentTls(env));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`DOCKER_HOST: ${error.message}`, error.hint);
  }
}

/** Reads `unix:///run/docker.sock`, `/run/docker.sock` and `tcp://host:port`. Throws a ValueError. */
export function parseEngine(text: string, tls: EngineTls | null): DockerEndpoint {
  const [, path] = /^(?:unix:(?:\/\/)?)?(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) {
    if (tls !== null) throw new ValueError('a Unix socket has no TLS');
    return { kind: 'unix', path };
  }
  const [, host, port] = /^tcp:\/\/(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  const number = port === undefined ? (tls === null ? PLAIN_PORT : TLS_PORT) : Number(port);
  if (host === undefined || number < 1 || number > 65_535)
    throw new ValueError(
      `expected unix:///var/run/docker.sock or tcp://host:port, got ${JSON.stringify(text)}`,
      /^ssh:/.test(text) ? 'Forward the socket: ssh -L /run/lb/docker.sock:/var/run/docker.sock HOST.' : '',
    );
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: number, tls };
}

/** As the docker command reads them. */
function environmentTls({
  DOCKER_CERT_PATH: folder = join(homedir(), '.docker'),
}: DockerEnvironment): EngineTls {
  const read = (name: string): string => {
    const path = join(folder, name);
    try {
      return readRegularFile(path);
    } catch (error) {
      throw new ValueError(`${path} cannot be read: ${whyUnreadable(error)}`);
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

/** The beginning of the id of the container that this process is in; null: none is found. */
function ownContainer(): string | null {
  try {
    const mounts = readRegularFile('/proc/self/mountinfo');
    const [, id] = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) \/etc\//.exec(mounts) ?? [];
    if (id !== undefined) return id;
  } catch {
    // There is no such file on this system.
  }
  return /^[0-9a-f]{12}$/.test(hostname()) ? hostname() : null;
}
