import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

const SCRIPT = `${PROJECT}compose/compose.sh`;
const BASE_IMAGE = `${PROJECT}compose/base-image.sh`;

/** What compose.sh exits with when there is no compose, no engine or no image (EX_UNAVAILABLE of sysexits.h). */
const UNAVAILABLE = 69;

export const SERVICES = ['mango-1', 'mango-2', 'apple-1', 'apple-2'] as const;
export type Service = (typeof SERVICES)[number];

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why compose can't be used here, as compose.sh says it; undefined if it can. */
export async function whyNoCompose(): Promise<string | undefined> {
  const { code, stderr } = await runCommand(SCRIPT, ['version'], process.env);
  if (code === UNAVAILABLE) return stderr.trim();
  if (code !== 0) throw new Error(`compose.sh version: ${stderr}`);
  return undefined;
}

/** The set of compose/docker-compose.yml under a project name and on ports of its own, so that it can stand beside `make up`. */
export class ComposeSet {
  readonly ports: Readonly<Record<Service | 'lb', number>>;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(ports: ComposeSet['ports']) {
    this.ports = ports;
    this.#env = { ...process.env, COMPOSE_PROJECT_NAME: `lb-test-${process.pid}` };
    for (const [service, port] of Object.entries(ports)) {
      this.#env[`${service.toUpperCase().replace('-', '_')}_PORT`] = String(port);
    }
  }

  static async create(): Promise<ComposeSet> {
    return new ComposeSet({
      'mango-1': await freePort(),
      'mango-2': await freePort(),
      'apple-1': await freePort(),
      'apple-2': await freePort(),
      lb: await freePort(),
    });
  }

  /** On the ports that compose/docker-compose.yml has by itself, where the file of the course looks for them. */
  static onOwnPorts(balancer: number): ComposeSet {
    return new ComposeSet({
      'mango-1': 8081,
      'mango-2': 8082,
      'apple-1': 9081,
      'apple-2': 9082,
      lb: balancer,
    });
  }

  /** `host:port` as the machine reaches the service. */
  address(service: Service | 'lb'): string {
    return `127.0.0.1:${this.ports[service]}`;
  }

  /** Runs compose with these arguments and gives its stdout; rejects with its stderr if it fails. */
  async compose(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand(SCRIPT, args, this.#env);
    if (code !== 0) throw new Error(`compose ${args.join(' ')} exited with ${code}: ${stderr}`);
    return stdout;
  }

  /** Stops and removes everything, the balancer's container included. */
  async down(): Promise<void> {
    await this.compose('--profile', 'lb', 'down', '--timeout', '2');
  }
}

/** The set of compose/labels.yml under a project name of its own. */
export class LabelledSet {
  readonly #env: NodeJS.ProcessEnv;

  constructor(host: string) {
    this.#env = {
      ...process.env,
      LB_COMPOSE_FILE: 'labels.yml',
      COMPOSE_PROJECT_NAME: `lb-labels-${process.pid}`,
      MANGO_HOST: host,
    };
  }

  /** As many containers as that. Rejects with what compose says. */
  async scale(count: number): Promise<void> {
    await this.#compose('up', '-d', '--no-recreate', '--scale', `mango=${count}`);
  }

  async down(): Promise<void> {
    await this.#compose('down', '--timeout', '2');
  }

  /** A container outside of compose, with these labels, that never becomes healthy. Returns its id. */
  async startSick(...labels: readonly string[]): Promise<string> {
    const { stdout: image } = await runCommand(BASE_IMAGE, [], process.env);
    const marks = labels.flatMap((label) => ['--label', label]);
    const health = ['--health-cmd', 'exit 1', '--health-interval', '1s', '--health-retries', '1'];
    const mount = ['--volume', `${PROJECT}:/app:ro`];
    const command = ['node', '/app/dist/fixtures/server.js', '--host', '0.0.0.0', '--port', '8080'];
    const id = await docker('run', '--detach', ...marks, ...health, ...mount, image.trim(), ...command);
    return id.trim();
  }

  /** A container outside of compose, with these labels, whose program ignores all signals that it can. Returns its id. */
  async startStubborn(...labels: readonly string[]): Promise<string> {
    const { stdout: image } = await runCommand(BASE_IMAGE, [], process.env);
    const marks = labels.flatMap((label) => ['--label', label]);
    const program = `for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => {});
      require('http').createServer((_, response) => response.end('here')).listen(8080);`;
    const id = await docker('run', '--detach', ...marks, image.trim(), 'node', '-e', program);
    return id.trim();
  }

  /** Runs docker with a container that was started here. */
  async docker(...args: string[]): Promise<void> {
    await docker(...args);
  }

  async remove(id: string): Promise<void> {
    await docker('rm', '--force', id);
  }

  /** When each container of the set started, and when it wrote its first line, in ms since the epoch. */
  async times(): Promise<readonly ContainerTimes[]> {
    const project = `label=com.docker.compose.project=${this.#env.COMPOSE_PROJECT_NAME}`;
    const list = await docker('ps', '--quiet', '--filter', project);
    const ids = list.split('\n').filter((id) => id !== '');
    return Promise.all(ids.map(timesOf));
  }

  async #compose(...args: string[]): Promise<void> {
    const { code, stderr } = await runCommand(SCRIPT, args, this.#env);
    if (code !== 0) throw new Error(`compose ${args.join(' ')} exited with ${code}: ${stderr}`);
  }
}

/** Of one container, by the clock of this machine. */
export interface ContainerTimes {
  /** As the container is called by its program. */
  readonly id: string;
  readonly started: number;
  readonly listens: number;
}

async function timesOf(id: string): Promise<ContainerTimes> {
  const started = Date.parse((await docker('inspect', '--format', '{{.State.StartedAt}}', id)).trim());
  const { stdout, stderr } = await runCommand('docker', ['logs', '--timestamps', id], process.env);
  const [time = ''] = `${stdout}${stderr}`.split(' ', 1);
  return { id, started, listens: Date.parse(time) };
}

/** A network of containers, in which this machine has the first address of the subnet. */
export class ContainerNetwork {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** `subnet` is a CIDR, `gateway` this machine's address in it. Rejects with what docker says. */
  static async create(subnet: string, gateway: string): Promise<ContainerNetwork> {
    const name = `lb-test-${process.pid}`;
    await docker('network', 'create', '--subnet', subnet, '--gateway', gateway, name);
    return new ContainerNetwork(name);
  }

  /** Runs a script in a container that has `address`, and gives its stdout. */
  async node(address: string, script: string): Promise<string> {
    const { stdout: image } = await runCommand(BASE_IMAGE, [], process.env);
    const where = ['--network', this.#name, '--ip', address];
    return docker('run', '--rm', '--read-only', ...where, image.trim(), 'node', '-e', script);
  }

  async remove(): Promise<void> {
    await docker('network', 'rm', this.#name);
  }
}

async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand('docker', args, process.env);
  if (code !== 0) throw new Error(`docker ${args[0]} exited with ${code}: ${stderr}`);
  return stdout;
}

/** Runs a command to its end. */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Finished> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** Why a test can't have these ports of loopback for itself; undefined if it can. */
export async function whyTaken(ports: readonly number[]): Promise<string | undefined> {
  for (const port of ports) {
    if (!(await isFree(port))) return `port ${port} is taken, by \`make up\` perhaps`;
  }
  return undefined;
}

/**
 * A port of loopback that is free now. Below the kernel's ephemeral range: the load's own connections must not
 * take the port of a container that is stopped for a while.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  const bound = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (!bound) return false;
  probe.close();
  await once(probe, 'close');
  return true;
}

/** The status of a GET on a connection of its own, 0 if there was no answer. */
export function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(0));
  });
}

/** Resolves once `condition` holds; rejects, saying `what` was waited for, if it doesn't within `deadline` ms. */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  deadline = 20_000,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) {
      throw new Error(`not within ${deadline} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await pause(20);
  }
}
