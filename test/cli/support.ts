import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createBalancer } from '../../lib/balancer.js';
import type { Address } from '../../lib/base/address.js';
import type { Availability, Observer } from '../../lib/base/observer.js';
import type { Steps } from '../../lib/base/slices.js';
import { systemClock } from '../../lib/base/timer-wheel.js';
import { parseArguments } from '../../lib/cli/args.js';
import { check } from '../../lib/cli/check.js';
import { explain } from '../../lib/cli/explain.js';
import { type OutputStream, Terminal } from '../../lib/cli/terminal.js';
import type { Config } from '../../lib/config/types.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import type { CertificateReload } from '../../lib/control/certificates.js';
import type { NewServer } from '../../lib/control/status/operations.js';
import type {
  BalancerStatus,
  BanList,
  CertificateStatus,
  MaintenanceStatus,
  ServerStatus,
  StatusEvent,
} from '../../lib/control/status/status.js';
import type { StatusViews } from '../../lib/control/status/status-views.js';
import { StickyMemory } from '../../lib/exchange/sticky-memory.js';
import { Metrics } from '../../lib/observe/metrics.js';
import type { LiveBalancer } from '../../lib/observe/server-families.js';
import { until } from '../support/loop-ticks.js';

export const LAUNCHER = fileURLToPath(new URL('../../../bin/lb.js', import.meta.url));

/** An output stream that remembers what it was given. */
export class MemoryStream extends EventEmitter implements OutputStream {
  readonly isTTY: boolean;
  /** Only a terminal has so many. */
  columns: number;
  rows = 24;
  writableLength = 0;
  text = '';

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
    this.columns = isTTY ? 80 : Number.POSITIVE_INFINITY;
  }

  write(text: string): boolean {
    this.text += text;
    this.emit('written');
    return true;
  }

  /** Resolves once the text matches. */
  async has(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.text), `it writes ${pattern}`);
  }
}

/** What a command printed, and its exit code. */
export interface Printed {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `lb check` or `lb explain` in the folder `cwd`, without the half second that a process of its own takes. */
export function printedBy(words: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Printed {
  const { command, colour } = parseArguments(words);
  const [stdout, stderr] = [new MemoryStream(), new MemoryStream()];
  const terminals = {
    stdout: new Terminal(stdout, { colour, env }),
    stderr: new Terminal(stderr, { colour, env }),
  };
  const here = process.cwd();
  process.chdir(cwd);
  try {
    if (command.name !== 'check' && command.name !== 'explain') throw new Error(`this is ${command.name}`);
    const code =
      command.name === 'check' ? check(command.options, terminals) : explain(command.options, terminals);
    return { code, stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.chdir(here);
  }
}

/** A balancer that balances nothing: a test decides how its start and its drain end. */
export class FakeBalancer implements Balancer {
  addresses: readonly Address[] = [];
  clientCount = 0;
  handshakes = new Map();
  stopped = false;
  readonly readyReasons: readonly string[] = [];
  readonly metrics = new Metrics();
  readonly bindings = new StickyMemory(systemClock);
  /** The operations it was asked for: `big draining`, `default add localhost:5003`. */
  readonly told: string[] = [];
  starting: () => Promise<void> = async () => {};
  leaving: () => Promise<void> = async () => {};
  draining: () => Promise<boolean> = async () => true;
  config!: Config;
  observer!: Observer;

  readonly create = (config: Config, observer: Observer = {}): Balancer => {
    this.config = config;
    this.observer = observer;
    return this;
  };

  async start(): Promise<void> {
    await this.starting();
    this.addresses = this.config.listen.map(({ address }) => address);
  }

  async reload(config: Config): Promise<void> {
    await this.starting();
    this.config = config;
  }

  leave(): Promise<void> {
    return this.leaving();
  }

  drain(): Promise<boolean> {
    return this.draining();
  }

  stop(): void {
    this.stopped = true;
  }

  readonly certificateFiles: readonly string[] = [];
  readonly adminTerms = null;

  certificates(): readonly CertificateStatus[] {
    return [];
  }

  async reloadCertificates(): Promise<CertificateReload> {
    this.told.push('certificates');
    return { changed: [], refused: [] };
  }

  firstCheck(): Promise<void> {
    return Promise.resolve();
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  setAvailability(name: string, to: Availability): void {
    this.told.push(`${name} ${to}`);
  }

  setWeight(name: string, weight: number): void {
    this.told.push(`${name} weight ${weight}`);
  }

  addServer(route: string, { address }: NewServer): void {
    this.told.push(`${route} add ${address}`);
  }

  removeServer(name: string): void {
    this.told.push(`${name} remove`);
  }

  setHostMaintenance(host: string): void {
    this.told.push(`${host} maintenance`);
  }

  maintenances(): readonly MaintenanceStatus[] {
    return [];
  }

  watchRequests(): () => void {
    return () => {};
  }

  /** Of a real one that was never started. */
  status(): BalancerStatus {
    const balancer = createBalancer(this.config);
    const status = balancer.status();
    balancer.stop();
    return status;
  }

  *statusSteps(): Steps<BalancerStatus> {
    yield;
    return this.status();
  }

  readonly ended = Promise.resolve();

  collectFigures(): null {
    return null;
  }

  readonly serverNames: readonly string[] = [];

  serverStatus(): ServerStatus | undefined {
    return undefined;
  }

  get views(): StatusViews {
    const balancer = createBalancer(this.config);
    balancer.stop();
    return balancer.views;
  }

  *figureSteps(): Steps<LiveBalancer> {
    const balancer = createBalancer(this.config);
    const figures = yield* balancer.figureSteps();
    balancer.stop();
    return figures;
  }

  bans(): BanList {
    return { total: 0, bans: [] };
  }

  unban(client: string): readonly string[] {
    this.told.push(`${client} unban`);
    return ['firewall_rules'];
  }

  events(): readonly StatusEvent[] {
    return [];
  }

  subscribe(): () => void {
    return () => {};
  }

  async sockets(): Promise<null> {
    return null;
  }

  async isAlive(): Promise<void> {}

  async holdChanges(): Promise<() => void> {
    return () => {};
  }

  handOver(): void {}

  refuseUpgrade(): void {}

  refuseReload(detail: string): void {
    this.observer.event?.({ what: 'reload_refused', detail: detail });
  }
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How many files it may have open; as many as the test if not given. */
  readonly files?: number;
  /** Descriptors that it inherits, as from a socket unit. */
  readonly descriptors?: readonly number[];
  /** FileDescriptorName= of each. */
  readonly descriptorNames?: readonly string[];
}

/** How long output is waited for, in ms: far longer than it takes, and short of the time of a file of tests. */
const FIND_MS = 60_000;

/** The real program in a process of its own. */
export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #changed = new EventEmitter();

  constructor(args: readonly string[], options: ProgramOptions = {}, launcher = LAUNCHER) {
    const env = { ...process.env, ...options.env };
    for (const name of ['FORCE_COLOR', 'NO_COLOR'] as const)
      if (!(name in (options.env ?? {}))) delete env[name];
    // The test runner loads itself, by NODE_OPTIONS, into every Node it sees started: half a second, and memory.
    const own = options.env?.NODE_OPTIONS;
    const before = own === undefined ? ['-u', 'NODE_OPTIONS'] : [`NODE_OPTIONS=${own}`];
    const command = ['env', ...before, process.execPath, launcher, ...args];
    const limit = options.files === undefined ? ':' : `ulimit -n ${options.files}`;
    const { descriptors = [], descriptorNames = [] } = options;
    const names = descriptorNames.length === 0 ? '' : ` LISTEN_FDNAMES=${descriptorNames.join(':')}`;
    const inherit =
      descriptors.length === 0 ? ':' : `export LISTEN_PID=$$ LISTEN_FDS=${descriptors.length}${names}`;
    this.child = spawn('sh', ['-c', `${limit}; ${inherit}; exec "$@"`, 'sh', ...command], {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#changed.emit('change');
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed.emit('change');
    });
    this.child.on('close', () => this.#changed.emit('change'));
  }

  /** The first group of the pattern, once stderr matches it; fails if the program ends before. */
  onStderr(pattern: RegExp): Promise<string> {
    return this.#find(pattern, () => this.stderr);
  }

  onStdout(pattern: RegExp): Promise<string> {
    return this.#find(pattern, () => this.stdout);
  }

  /** The exit code, or the name of the signal that ended it. */
  async end(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode ?? this.child.signalCode ?? 'unknown';
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  async #find(pattern: RegExp, text: () => string): Promise<string> {
    const deadline = AbortSignal.timeout(FIND_MS);
    for (;;) {
      const match = pattern.exec(text());
      if (match) return match[1] ?? match[0];
      if (this.child.exitCode !== null)
        throw new Error(`ended without ${pattern}:\n${this.stdout}${this.stderr}`);
      await once(this.#changed, 'change', { signal: deadline }).catch(() => {
        throw new Error(`not ${pattern} within ${FIND_MS / 1000} s:\n${this.stdout}${this.stderr}`);
      });
    }
  }
}
