// What reloads of 10,000 hosts, bad settings and a thread without memory do to the requests of others, with engines in threads:
// node dist/test/bench/disturbances.js [--rate 500] [--times 5] [--hosts 10000] [--workers 2] (Node 22.12 or newer)
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Program } from '../cli/support.js';
import { FIXTURE_SERVER } from '../support/processes.js';
import { SteadyLoad } from './steady-load.js';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '500' },
    times: { type: 'string', default: '5' },
    hosts: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '2' },
  },
});
const [RATE, TIMES, HOSTS] = [Number(values.rate), Number(values.times), Number(values.hosts)];
/** Of the thread that runs out of memory. */
const SMALL_HEAP_MB = 80;
const FEW_HOSTS = 100;
const PROGRAM = fileURLToPath(new URL('./seamed-program.js', import.meta.url));
/** After each disturbance, in ms: what it leaves to do belongs to it. */
const AFTER_MS = 500;

const directory = mkdtempSync(join(tmpdir(), 'lb-'));
const file = join(directory, 'lb.yaml');
const origin = new Program(['--name', 'a', '--host', '0.0.0.0'], {}, FIXTURE_SERVER);
const port = await origin.onStderr(/listens on \S+:(\d+)/);

/** All servers are one process: a thousand addresses, shared by many hosts. */
function writeSettings(hosts: number, extra: object = {}): void {
  const settings = {
    listen: '127.0.0.1:0',
    health_check: false,
    hosts: Array.from({ length: hosts }, (_, i) => ({
      host: `h${i}.example`,
      servers: [
        i === 0
          ? { name: 'a', address: `127.2.0.1:${port}` }
          : `127.1.${(i % 1000) >> 5}.${(i % 32) + 1}:${port}`,
      ],
    })),
    ...extra,
  };
  writeFileSync(file, JSON.stringify(settings, null, 1));
}

/** The program with its settings file, and a load on it. */
class Disturbed {
  readonly #child: ChildProcess;
  #stderr = '';
  #wake: () => void = () => {};
  #load: SteadyLoad | null = null;
  readonly #hosts: number;

  constructor(hosts: number, heapMb: number) {
    this.#hosts = hosts;
    writeSettings(hosts);
    const words = ['-c', file, '--access-log', 'off', '--no-color', '--workers', values.workers];
    this.#child = fork(PROGRAM, words, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, LB_BENCH_HEAP_MB: String(heapMb) },
    });
    this.#child.on('exit', () => this.#wake());
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
  }

  /** Resolves with the first group of the pattern once it was printed, and forgets all that was printed. */
  async #printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#stderr);
      if (found !== null) {
        this.#stderr = '';
        return found[1] ?? '';
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`the program has ended: ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async start(): Promise<void> {
    const port = Number(await this.#printed(/curl [^\n]*?http:\/\/\S+?:(\d+)/));
    this.#load = new SteadyLoad(port, RATE, this.#hosts);
    // Connections are opened, and code becomes hot.
    await pause(5000);
    this.#load.take();
  }

  /** The same load for so many seconds. */
  async rest(title: string, seconds: number): Promise<void> {
    await pause(seconds * 1000);
    this.#row(title, []);
  }

  async suffer(title: string, disturb: () => void, isOver: RegExp): Promise<void> {
    const took: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      const since = performance.now();
      disturb();
      await this.#printed(isOver);
      took.push(performance.now() - since);
      await pause(AFTER_MS);
    }
    this.#row(title, took);
  }

  reload(): void {
    this.#child.kill('SIGHUP');
  }

  fill(): void {
    this.#child.send('fill');
  }

  #row(title: string, took: readonly number[]): void {
    const { latencies, elsewhere, wrong, cut } = (this.#load as SteadyLoad).take();
    const at = (share: number, of = latencies): string =>
      (of[Math.min(of.length - 1, Math.floor(of.length * share))] ?? 0).toFixed(1);
    const others =
      cut === 0 ? '' : ` (p99 ${at(0.99, elsewhere)} of the ${elsewhere.length} on connections that go on)`;
    const each = took.length === 0 ? '' : `; each took ${took.map((ms) => `${Math.round(ms)}`).join(' ')} ms`;
    process.stdout.write(
      `${title.padEnd(32)} p50 ${at(0.5)} p99 ${at(0.99)} p99.9 ${at(0.999)} most ${at(1)} ms, ` +
        `${latencies.length} requests, ${wrong} wrong, ${cut} cut${others}${each}\n`,
    );
  }

  stop(): void {
    this.#load?.stop();
    this.#child.kill('SIGKILL');
  }
}

process.stdout.write(
  `Node ${process.version}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, ` +
    `${RATE} requests a second, ${values.workers} threads\n`,
);
const many = new Disturbed(HOSTS, 0);
try {
  await many.start();
  await many.rest(`${HOSTS} hosts, nothing`, 10);
  await many.suffer('reloads', () => many.reload(), /reloaded /);
  writeSettings(HOSTS, { timouts: {} });
  await many.suffer('bad settings, refused', () => many.reload(), /(timouts)/);
  writeSettings(HOSTS);
  await many.rest('nothing', 10);
} finally {
  many.stop();
}
const few = new Disturbed(FEW_HOSTS, SMALL_HEAP_MB);
try {
  await few.start();
  await few.rest(`${FEW_HOSTS} hosts, nothing`, 10);
  await few.suffer('a thread runs out of memory', () => few.fill(), /(out of memory)/);
  await few.rest('nothing', 10);
} finally {
  few.stop();
  origin.kill();
  rmSync(directory, { recursive: true });
}
