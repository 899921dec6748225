import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

const SCRIPT = `${PROJECT}compose/compose.sh`;

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
  const { code, stderr } = await run(['version'], process.env);
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

  /** `host:port` as the machine reaches the service. */
  address(service: Service | 'lb'): string {
    return `127.0.0.1:${this.ports[service]}`;
  }

  /** Runs compose with these arguments and gives its stdout; rejects with its stderr if it fails. */
  async compose(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(args, this.#env);
    if (code !== 0) throw new Error(`compose ${args.join(' ')} exited with ${code}: ${stderr}`);
    return stdout;
  }

  /** Stops and removes everything, the balancer's container included. */
  async down(): Promise<void> {
    await this.compose('--profile', 'lb', 'down', '--timeout', '2');
  }
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> {
  const child = spawn(SCRIPT, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
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

/**
 * A port of loopback that is free now. Below the kernel's ephemeral range: the load's own connections must not
 * take the port of a container that is stopped for a while.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const bound = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!bound) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
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
