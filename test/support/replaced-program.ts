import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { LAUNCHER, Program, type ProgramOptions } from '../cli/support.js';
import { until } from './loop-ticks.js';

/** What `POST /api/upgrade` answers. */
export interface UpgradeAnswer {
  readonly status: number;
  readonly pid?: number;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: string };
}

/** The real program, whose file on the disk is that of the test: it can be replaced by another, and upgraded to it. */
export class ReplacedProgram {
  readonly directory: string;
  readonly settings: string;
  readonly program: Program;
  /** Where its admin listener is. */
  readonly admin: string;
  /** The process that serves now. */
  pid: number;

  private constructor(directory: string, program: Program, admin: string) {
    this.directory = directory;
    this.settings = join(directory, 'lb.yaml');
    this.program = program;
    this.admin = admin;
    this.pid = program.child.pid ?? 0;
  }

  /** `settings`: without `admin`. Every process ends with the test. */
  static async start(t: Test, settings: object, options: ProgramOptions = {}): Promise<ReplacedProgram> {
    const directory = mkdtempSync(join(tmpdir(), 'lb-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'lb.yaml');
    writeFileSync(file, JSON.stringify({ admin: '127.0.0.1:0', ...settings }));
    const launcher = join(directory, 'lb.mjs');
    writeFileSync(launcher, INTACT);
    const program = new Program(['-c', file, '--access-log', 'off', '--no-color'], options, launcher);
    t.teardown(() => program.kill());
    const admin = await program.onStderr(/watch +(http:\S+)/);
    const started = new ReplacedProgram(directory, program, admin);
    t.teardown(() => started.kill());
    return started;
  }

  /** What is on the disk from now on: a program of JavaScript, by default lb as it is. */
  replace(text = INTACT): void {
    writeFileSync(join(this.directory, 'lb.mjs'), text);
  }

  async upgrade(body?: object): Promise<UpgradeAnswer> {
    const response = await fetch(`${this.admin}api/upgrade`, {
      method: 'POST',
      headers: { connection: 'close', ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const answer = (await response.json()) as object;
    const { pid = this.pid } = answer as { pid?: number };
    this.pid = pid;
    return { status: response.status, ...answer };
  }

  async ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
    const response = await fetch(`${this.admin}${path}`, {
      method,
      headers: { connection: 'close', 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return (await response.json()) as T;
  }

  /** The reason of the last event of this kind; undefined without one. */
  async lastEvent(what: string): Promise<string | undefined> {
    const asked = new AbortController();
    const response = await fetch(`${this.admin}api/events?since=0`, { signal: asked.signal });
    let text = '';
    const reading = (async () => {
      for await (const bytes of response.body ?? []) text += Buffer.from(bytes).toString();
    })().catch(() => {});
    await until(() => text.includes(`event: ${what}\n`) && text.endsWith('\n\n'));
    asked.abort();
    await reading;
    const events = text
      .split('\n')
      .flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []));
    return (events as { what: string; reason: string }[]).findLast((event) => event.what === what)?.reason;
  }

  /** Tells the process that serves to end, and waits until it has. */
  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGTERM');
    await ended(this.pid);
  }

  /** Ends whatever process this has been. */
  kill(): void {
    // 0 would be the processes of this test.
    if (this.pid === 0) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  /** The exit code of the first process. */
  async firstCode(): Promise<number | null> {
    const { child } = this.program;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }
}

/** Resolves when a process is gone, or was not waited for by whoever started it. */
export async function ended(pid: number): Promise<void> {
  await until(() => {
    if (!existsSync(`/proc/${pid}`)) return true;
    try {
      return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
    } catch {
      return true;
    }
  });
}

const INTACT = `await import(${JSON.stringify(LAUNCHER)});\n`;
