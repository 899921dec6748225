import type { UpgradeOutcome } from '../../admin/admin-target.js';
import { readRegularFile } from '../../base/regular-file.js';
import type { Balancer } from '../../control/balancer-contract.js';
import type { ListeningSocket } from '../../net/listeners.js';
import { escapeForScreen } from '../../observe/escape.js';
import type { ConsoleLog } from '../console-log.js';
import type { HandedSocket } from './messages.js';
import { FIRST_SOCKET, NewProgram, type Relaunch, UpgradeError, versionOnDisk } from './new-program.js';

/** How long the new program may take to be ready, unless something else is asked for. */
export const PATIENCE_MS = 30_000;

/** What an upgrade needs of the running program. */
export interface UpgradeDeps {
  readonly balancer: Balancer;
  readonly consoleLog: ConsoleLog;
  readonly relaunch: Relaunch;
  /** The socket of the admin listener; null if this Node does not expose its descriptor. */
  readonly adminSocket: () => ListeningSocket | null;
  /** Writes the changes of operators where they are kept, and returns them for the new program; null without any. */
  readonly changes: () => Promise<string | null>;
  /** Called when the new program serves: this one releases what the new one owns now. */
  readonly onTakenOver: (pid: number) => void;
  /** Called when this program goes on after all. */
  readonly onFailed: () => void;
  /** Why a new program would not live on after this one; null: it would. */
  readonly obstacle: string | null;
}

/**
 * Replaces this program by the one that is on the disk now, so that connections are accepted at every moment: the new
 * program is started with all listening sockets. When it is ready this one drains; if it never is, this one goes on.
 */
export class Upgrade {
  readonly #deps: UpgradeDeps;
  #running: NewProgram | null = null;
  #state: 'idle' | 'starting' | 'cancelled' | 'done' = 'idle';
  #tellDone: () => void = () => {};
  /** Resolves when another program has taken over. */
  readonly done: Promise<void>;

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
    this.done = new Promise((resolve) => {
      this.#tellDone = resolve;
    });
  }

  /** Never rejects. `patience`: ms that the new program may take to be ready. */
  async run(patience = PATIENCE_MS): Promise<UpgradeOutcome> {
    const { balancer, consoleLog, obstacle } = this.#deps;
    if (obstacle !== null) return refusal('cannot_upgrade', obstacle);
    if (this.#state === 'starting') return refusal('upgrading', 'a new program is being started already');
    if (this.#state !== 'idle') return refusal('ending', 'this program is ending');
    this.#state = 'starting';
    let release: () => void = () => {};
    try {
      release = await balancer.holdChanges();
      const { pid, version } = await this.#start(patience);
      this.#state = 'done';
      this.#finish(pid, version);
      return { ok: true, message: takenOver(pid, version), pid, version };
    } catch (error) {
      release();
      this.#deps.onFailed();
      if (this.#state === 'starting') this.#state = 'idle';
      const { message, report } = asUpgradeError(error);
      const told = report === '' ? message : `${message}: ${telling(report)}`;
      consoleLog.say(`upgrade failed, this program goes on: ${escapeForScreen(told)}`);
      balancer.refuseUpgrade(told);
      return {
        ok: false,
        code: 'upgrade_failed',
        message: `the new program did not start: ${message}`,
        report,
      };
    }
  }

  /** This program was told to end: the new one must not take over then. */
  cancel(): void {
    if (this.#state === 'done') return;
    this.#state = 'cancelled';
    void this.#running?.end('the old program was told to stop');
  }

  async #start(patience: number): Promise<{ pid: number; version: string }> {
    const { relaunch, consoleLog } = this.#deps;
    const sockets = await this.#sockets();
    await versionOnDisk(relaunch);
    const changes = await this.#deps.changes();
    // It was told to stop meanwhile.
    if (this.#state !== 'starting') throw new UpgradeError('this program was told to stop');
    const handed = sockets.map(
      ({ wanted, ownsFile, isHeld }, index): HandedSocket => ({
        descriptor: FIRST_SOCKET + index,
        wanted: wanted.text,
        ownsFile,
        isHeld,
      }),
    );
    const descriptors = sockets.map(({ descriptor }) => descriptor);
    const program = new NewProgram(relaunch, descriptors, { what: 'handover', sockets: handed, changes });
    this.#running = program;
    consoleLog.mention(`upgrade: process ${program.pid} is starting`);
    try {
      const version = await program.ready(patience);
      program.release();
      return { pid: program.pid, version };
    } catch (error) {
      await program.end('it did not become ready');
      throw error;
    } finally {
      this.#running = null;
    }
  }

  async #sockets(): Promise<readonly ListeningSocket[]> {
    const sockets = await this.#deps.balancer.sockets();
    const admin = this.#deps.adminSocket();
    if (sockets === null || admin === null)
      throw new UpgradeError('the descriptors of its sockets are not known');
    return [...sockets, admin];
  }

  #finish(pid: number, version: string): void {
    const { balancer, consoleLog, onTakenOver } = this.#deps;
    onTakenOver(pid);
    balancer.handOver(pid, version);
    consoleLog.mention(
      `${takenOver(pid, version)}; this one (${process.pid}) answers what it has, then ends`,
    );
    // After the answer is written: Node closes connections without a request as soon as a server is told to close, and takes
    // one for such whose answer waits for the end of the tick.
    setImmediate(() => this.#tellDone());
  }
}

/** Programs that end a container, with all in it, when the process that they started ends. */
const SMALL_INITS: ReadonlySet<string> = new Set(['tini', 'docker-init', 'dumb-init', 'catatonit']);

/** Why a new program would not outlive this one, because of what started this one; null: no reason is known. */
export function upgradeObstacle(env: NodeJS.ProcessEnv, pid: number, ppid: number): string | null {
  const container = 'with it the container would end: start a new container instead';
  if (pid === 1) return `this is process 1, and ${container}`;
  if (ppid === 1 && SMALL_INITS.has(nameOfFirst()))
    return `this is what process 1 waits for, and ${container}`;
  const isService = env.SYSTEMD_EXEC_PID === String(pid);
  if (isService && (env.NOTIFY_SOCKET ?? '') === '')
    return 'systemd would end the new program with this one: the service needs Type=notify and NotifyAccess=all';
  return null;
}

function nameOfFirst(): string {
  try {
    return readRegularFile('/proc/1/comm').trim();
  } catch {
    return '';
  }
}

function takenOver(pid: number, version: string): string {
  return `process ${pid} (lb ${version}) has taken over`;
}

function refusal(code: string, message: string): UpgradeOutcome {
  return { ok: false, code, message, report: '' };
}

function asUpgradeError(error: unknown): UpgradeError {
  if (error instanceof UpgradeError) return error;
  return new UpgradeError(error instanceof Error ? error.message : String(error));
}

/** The line of a report that says most: what lb says, or an error of JavaScript. */
function telling(report: string): string {
  const lines = report.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^lb: |^\w*Error\b|: /.test(line)) ?? lines[0] ?? '';
}
