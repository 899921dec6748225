import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../support/free-port.js';

/** Why a test that needs Redis cannot run; false when it can, or when it has to (LB_REQUIRE_REDIS). */
export const skipWithoutRedis: string | false =
  (process.env.LB_REQUIRE_REDIS ?? '') === '' && spawnSync('redis-server', ['--version']).error !== undefined
    ? 'no redis-server (Debian: redis-server)'
    : false;

/** The files of a server's certificate. */
export interface RedisCertificate {
  readonly cert: string;
  readonly key: string;
  /** Of the authority that has signed it. */
  readonly ca: string;
}

/** A redis-server of a test, on a port of loopback. */
export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #options: readonly string[];
  readonly #isTls: boolean;
  #child: ChildProcess | null = null;

  private constructor(port: number, folder: string, options: readonly string[], isTls: boolean) {
    this.port = port;
    this.folder = folder;
    this.#options = [isTls ? '--tls-port' : '--port', `${port}`, ...options];
    this.#isTls = isTls;
  }

  /** `options`: as on its command line. */
  static async start(t: Test, ...options: string[]): Promise<RedisServer> {
    return RedisServer.#open(t, options, false);
  }

  /** One that speaks TLS only, and asks clients for no certificate. */
  static async startTls(t: Test, files: RedisCertificate, ...options: string[]): Promise<RedisServer> {
    const { cert, key, ca } = files;
    const terms = ['--port', '0', '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    return RedisServer.#open(t, [...terms, '--tls-auth-clients', 'no', ...options], true);
  }

  static async #open(t: Test, options: readonly string[], isTls: boolean): Promise<RedisServer> {
    const folder = mkdtempSync(join(tmpdir(), 'lb-redis-'));
    const server = new RedisServer(await freePort(), folder, options, isTls);
    t.teardown(async () => {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    });
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis${this.#isTls ? 's' : ''}://127.0.0.1:${this.port}`;
  }

  /** Starts it anew, with nothing in it. */
  async restart(): Promise<void> {
    await this.kill();
    const args = ['--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    this.#child = await started([...args, ...this.#options], 'Ready to accept connections');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null) await killed(child);
  }

  /** Stops it as if its machine had no time for it: connections stay, nothing is answered. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** What redis-cli prints. */
  command(...args: string[]): string {
    const terms = ['-p', `${this.port}`, ...(this.#isTls ? ['--tls', '--insecure'] : [])];
    return spawnSync('redis-cli', [...terms, ...args], { encoding: 'utf8' }).stdout.trim();
  }
}

/** Starts redis-server, and waits until it has logged a line with `word`. */
export async function started(args: readonly string[], word: string): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    log += chunk.toString();
    if (log.includes(word)) return child;
  }
  throw new Error(`redis-server did not start:\n${log}`);
}

export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Between nodes and Redis: passes on what comes from Redis after a delay, in its order. */
export class SlowLink {
  /** ms. */
  delay = 0;
  /** Reads of answers that wait to be passed on. */
  waiting = 0;
  /** When the last of what waits is passed on, by `performance.now()`. */
  #lastAt = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: number) {
    this.#server = createServer((near) => {
      const far = connect(to, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', (chunk) => far.write(chunk));
      const waiting: Buffer[] = [];
      far.on('data', (chunk) => {
        this.#lastAt = Math.max(this.#lastAt, performance.now() + this.delay);
        waiting.push(chunk);
        this.waiting++;
        setTimeout(() => {
          this.waiting--;
          near.write(waiting.shift() as Buffer);
        }, this.#lastAt - performance.now());
      });
    });
  }

  static async open(t: Test, to: number): Promise<SlowLink> {
    const link = new SlowLink(to);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    t.teardown(() => {
      link.#server.close();
      for (const socket of link.#sockets) socket.destroy();
    });
    return link;
  }

  /** Passes on at once again; resolves when what is late has been passed on. */
  async hurry(): Promise<void> {
    this.delay = 0;
    await new Promise((resolve) => setTimeout(resolve, this.#lastAt - performance.now()));
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }
}
