import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PROJECT, runCommand } from './compose-set.js';

/** Storage of images: what the kernel does best, then what works everywhere. */
const STORAGE: readonly (readonly string[])[] = [[], ['--storage-driver=vfs']];
/** ms until an engine answers, or has ended, on a busy machine. */
const PATIENCE = 60_000;

/** Why there can be no engine of a test's own; undefined if there can. */
export function whyNoOwnEngine(): string | undefined {
  if (spawnSync('dockerd', ['--version']).error !== undefined) return 'dockerd is not installed';
  if (spawnSync('ip', ['-V']).error !== undefined) return 'ip is not installed: it is in iproute2';
  if (process.getuid?.() !== 0) return 'dockerd needs root';
  return undefined;
}

/** A network that no container is in: without one of its own it would take the one of the engine of the machine. */
const SUBNET = '198.18.77.1/24';

/**
 * A container engine beside that of the machine, which a test can restart: its containers have the network of the machine, and
 * live on without it.
 */
export class OwnEngine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lb-dockerd-'));
  readonly #bridge = `lb-${process.pid}`;
  #storage: readonly string[] = [];
  #process: ChildProcess | null = null;
  #image = '';

  /** Rejects with what dockerd says, after `remove`. */
  static async start(): Promise<OwnEngine> {
    const engine = new OwnEngine();
    try {
      await engine.#begin();
      await engine.#bringImage();
    } catch (error) {
      await engine.remove();
      throw error;
    }
    return engine;
  }

  /** For DOCKER_HOST. */
  get address(): string {
    return `unix://${join(this.#folder, 'docker.sock')}`;
  }

  async #begin(): Promise<void> {
    await ip('link', 'add', this.#bridge, 'type', 'bridge');
    await ip('address', 'add', SUBNET, 'dev', this.#bridge);
    for (const storage of STORAGE) {
      this.#storage = storage;
      if (await this.#run()) return;
    }
    throw this.#notRunning();
  }

  #notRunning(): Error {
    return new Error(`dockerd does not run: ${readFileSync(this.#log, 'utf8').slice(-2000)}`);
  }

  /**
   * Starts it after it was stopped, as a service manager does: once more when it ends at once. One that was killed leaves a containerd
   * behind, which may be in the way until it has noticed.
   */
  async runAgain(): Promise<void> {
    for (let tries = 0; tries < 5; tries++) {
      if (await this.#run()) return;
      await pause(1000);
    }
    throw this.#notRunning();
  }

  get #log(): string {
    return join(this.#folder, 'log');
  }

  /** False: it has ended. */
  async #run(): Promise<boolean> {
    const place = (name: string): string => join(this.#folder, name);
    const log = openSync(this.#log, 'a');
    const places = ['--data-root', place('data'), '--exec-root', place('exec'), '--pidfile', place('pid')];
    const network = ['--bridge', this.#bridge, '--iptables=false', '--ip6tables=false'];
    const options = [...places, ...network, '--live-restore', '-H', this.address, ...this.#storage];
    const child = spawn('dockerd', options, { stdio: ['ignore', log, log] });
    child.on('error', () => {});
    this.#process = child;
    const end = performance.now() + PATIENCE;
    while (child.exitCode === null && child.signalCode === null && performance.now() < end) {
      const { code } = await this.#docker('version', '--format', '{{.Server.Version}}');
      if (code === 0) return true;
      await pause(100);
    }
    await this.stop('SIGKILL');
    return false;
  }

  /** Ends it; its containers run on. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** From the engine of the machine, whose name for it is the name here. */
  async #bringImage(): Promise<void> {
    const { stdout, stderr, code } = await runCommand(`${PROJECT}compose/base-image.sh`, [], process.env);
    if (code !== 0) throw new Error(stderr);
    this.#image = stdout.trim();
    const pipe = 'docker save "$1" | DOCKER_HOST="$2" docker load';
    const loaded = await runCommand('sh', ['-c', pipe, 'sh', this.#image, this.address], process.env);
    if (loaded.code !== 0) throw new Error(loaded.stderr);
  }

  /** A server called `name` that listens on a port of the machine, with these labels. */
  async startServer(name: string, port: number, labels: readonly string[]): Promise<void> {
    const marks = [...labels, `lb.port=${port}`].flatMap((label) => ['--label', label]);
    const where = ['--network', 'host', '--volume', `${PROJECT}:/app:ro`];
    const server = ['node', '/app/dist/fixtures/server.js', '--name', name, '--port', String(port)];
    await this.docker('run', '--detach', '--name', name, ...marks, ...where, this.#image, ...server);
  }

  /** The process of a container. */
  async pidOf(name: string): Promise<number> {
    return Number(await this.docker('inspect', '--format', '{{.State.Pid}}', name));
  }

  /** Runs docker with this engine, and gives its stdout; rejects with its stderr. */
  async docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#docker(...args);
    if (code !== 0) throw new Error(`docker ${args[0]} exited with ${code}: ${stderr}`);
    return stdout;
  }

  #docker(...args: string[]) {
    return runCommand('docker', args, { ...process.env, DOCKER_HOST: this.address });
  }

  /** Ends it, its containers and all that it has mounted. */
  async remove(): Promise<void> {
    if (this.#process === null && this.#image !== '') await this.#run();
    if (this.#process !== null) {
      const { stdout } = await this.#docker('ps', '--all', '--quiet');
      const ids = stdout.split('\n').filter((id) => id !== '');
      if (ids.length > 0) await this.#docker('rm', '--force', ...ids);
    }
    await this.stop('SIGTERM');
    spawnSync('ip', ['link', 'delete', this.#bridge]);
    for (const mounted of mountsIn(this.#folder)) spawnSync('umount', ['--lazy', mounted]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await runCommand('ip', args, process.env);
  if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** The innermost first. */
function mountsIn(folder: string): readonly string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts
    .flatMap((line) => line.split(' ')[1] ?? [])
    .filter((path) => path.startsWith(folder))
    .reverse();
}
