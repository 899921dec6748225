import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { haproxyCommand } from './haproxy.js';
import { find, freePorts, type Placement, version } from './machine.js';
import { nginxBalancer, nginxCommand } from './nginx.js';
import type { Origins } from './origin.js';
import { untilReady } from './reply.js';
import { checkSetup, lbOptions, type Setup } from './setup.js';

/** The peers by default, and all of them. After a dash: what differs from the product as it is installed. */
export const MAIN_PEERS = ['lb', 'nginx', 'haproxy'];
export const ALL_PEERS = [
  ...MAIN_PEERS,
  'lb-observed',
  'lb-pipelining',
  'lb-documented',
  'nginx-64k',
  'haproxy-splice',
  'pipe',
  'http-proxy',
  'fast-proxy',
];

/** lb with all that an operator would have on: its cost over lb's own is what watching costs. */
export const OBSERVED = 'lb-observed';

/** lb with requests that share connections to the origins. */
export const PIPELINING = 'lb-pipelining';
/** lb with sockets used by documented means alone. */
export const DOCUMENTED = 'lb-documented';
/** As many as there are connections of clients: 16 cost 1.17 times that. */
const REQUESTS_PER_CONNECTION = 64;

/** What lb is measured against: a ratio is one to the better of these in the same run. */
export const YARDSTICKS = ['nginx', 'haproxy'];

/** A balancer to measure. */
export interface Peer {
  readonly name: string;
  /** Of the program, as a reader of the table wants it. */
  readonly version: string;
  /** What it can be configured to do. */
  readonly setups: readonly Setup[];
  /** The command that runs it in the foreground; what it writes goes into `folder`. */
  command(port: number, origins: readonly number[], folder: string, setup: Setup): string[];
}

/** A peer that runs. */
export interface RunningPeer {
  readonly name: string;
  readonly port: number;
  /** Does it speak TLS? */
  readonly secure: boolean;
  readonly child: Child;
}

/** How lb is started beyond its ports and servers. */
export interface LbOptions {
  readonly nodeOptions: readonly string[];
  readonly options: readonly string[];
}

/**
 * The peer of a name, or why there is none, in a line. `NAME=PATH/lb.js` is another build of lb, to be compared
 * with this one.
 */
export function findPeer(spec: string, lb: LbOptions): Peer | string {
  const [name = '', path] = spec.split('=', 2);
  if (name === 'lb' || path !== undefined) {
    const launcher = path === undefined ? launcherHere() : resolve(path);
    return existsSync(launcher) ? lbPeer(name, launcher, lb) : `${name} left out: ${launcher} does not exist`;
  }
  if (name === OBSERVED) return lbPeer(name, launcherHere(), lb, observedOptions);
  if (name === PIPELINING) return lbPeer(name, launcherHere(), lb, pipeliningOptions);
  if (name === DOCUMENTED) return withDocumentedSockets(lbPeer(name, launcherHere(), lb));
  if (!ALL_PEERS.includes(name)) return `${name} left out: not one of ${ALL_PEERS.join(', ')}`;
  return YARDSTICKS.some((yardstick) => name.startsWith(yardstick)) ? installedPeer(name) : nodePeer(name);
}

/** Starts a peer on its processor and waits until it answers; throws unless it does what the setup asks. */
export async function startPeer(
  peer: Peer,
  place: Placement,
  origins: Origins,
  folder: string,
  setup: Setup = 'plain',
): Promise<RunningPeer> {
  const [port = 0] = await freePorts(1);
  const command = peer.command(port, origins.ports, join(folder, `${peer.name}-${setup}`), setup);
  const child = new Child(peer.name, [...place.balancer, ...command]);
  const secure = setup === 'tls';
  await untilReady(child, port, secure);
  await checkSetup(setup, port);
  return { name: peer.name, port, secure, child };
}

const SETUPS: readonly Setup[] = ['plain', 'hosts-10', 'hosts-10k', 'everything', 'servers-1k', 'tls'];

function installedPeer(name: string): Peer | string {
  const [product = '', variant] = name.split('-');
  const program = find(product);
  if (!program) return `${name} left out: ${product} is not installed`;
  return {
    name,
    version: version(product) ?? '',
    setups: SETUPS,
    command: (port, origins, folder, setup) =>
      product === 'nginx'
        ? nginxCommand(program, folder, nginxBalancer(port, origins, variant === '64k', folder, setup))
        : haproxyCommand(program, folder, port, origins, variant === 'splice', setup),
  };
}

function launcherHere(): string {
  return fileURLToPath(new URL('../../../bin/lb.js', import.meta.url));
}

/** Nobody reads what is counted meanwhile: a scraper comes a few times in a minute. */
function observedOptions(folder: string): string[] {
  return ['--access-log', 'json', '--access-log-file', `${folder}.log`, '--admin', '127.0.0.1:0'];
}

function pipeliningOptions(folder: string): string[] {
  const file = `${folder}.yaml`;
  writeFileSync(file, `pool: { pipelining: ${REQUESTS_PER_CONNECTION} }\n`);
  return ['--access-log', 'off', '-c', file];
}

const plainOptions = (): string[] => ['--access-log', 'off'];

function lbPeer(
  name: string,
  launcher: string,
  lb: LbOptions,
  options: (folder: string) => readonly string[] = plainOptions,
): Peer {
  return {
    name,
    version: `on Node ${process.versions.node}`,
    setups: SETUPS,
    command: (port, origins, folder, setup) => [
      process.execPath,
      ...lb.nodeOptions,
      launcher,
      // On the command line a port is one of plain HTTP.
      ...(setup === 'tls' ? [] : [String(port)]),
      ...(setup === 'plain'
        ? [...addresses(origins), ...options(folder)]
        : lbOptions(setup, folder, origins, port)),
      '-q',
      ...lb.options,
    ],
  };
}

function withDocumentedSockets(peer: Peer): Peer {
  return {
    ...peer,
    command: (...asked) => ['env', 'LB_SOCKETS=documented', ...peer.command(...asked)],
  };
}

function nodePeer(name: string): Peer {
  const program = fileURLToPath(new URL(`./program/${name}.js`, import.meta.url));
  return {
    name,
    version: `on Node ${process.versions.node}`,
    setups: ['plain'],
    command: (port, origins) => [process.execPath, program, String(port), ...addresses(origins)],
  };
}

function addresses(origins: readonly number[]): string[] {
  return origins.map((origin) => `127.0.0.1:${origin}`);
}
