import { existsSync } from 'node:fs';
import { basename, isAbsolute, relative, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { VERSION } from '../base/version.js';
import { FEWEST_FILES, fileLimit } from '../net/shortage.js';
import { type Arguments, parseArguments, refusesColour, UsageError } from './args.js';
import { complain } from './complaint.js';
import { helpText } from './help.js';
import type { Ask } from './init/questions.js';
import { KeptSignals, type Launch } from './kept-signals.js';
import { isCommand } from './options.js';
import type { RemoteContext } from './remote/remote.js';
import type { Pause } from './remote/screen.js';
import { ServiceManager } from './service-manager.js';
import { Terminal } from './terminal.js';
import { unblockAgain, unblocked } from './tty-output.js';
import { OldProgram } from './upgrade/old-program.js';

/** The whole program: reads the command line, runs the command and ends the process with its exit code. */
export async function main(launch: Launch): Promise<void> {
  const words = process.argv.slice(2);
  const appearance = { colour: !refusesColour(words), env: process.env };
  const [output, errors] = unblocked(process.stdout, process.stderr);
  const stdout = new Terminal(output, appearance);
  const old = OldProgram.find(process.env, process);
  const stderr = new Terminal(errors, {
    ...appearance,
    ...(old !== null && { copy: (text: string) => old.note(text) }),
  });
  const signals = new KeptSignals(launch);
  process.on('uncaughtException', (error) => crash(error, stderr));

  let parsed: Arguments;
  try {
    parsed = parseArguments(words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    refuse(error, words, stderr);
    process.exitCode = 2;
    return;
  }

  if (parsed.command.name !== 'run') await signals.release();
  switch (parsed.command.name) {
    case 'help': {
      const { key } = parsed.command;
      if (key === null) {
        stdout.write(helpText(programName(), stdout.paint));
        return;
      }
      const { isKey, keyHelp } = await import('./key-help.js');
      if (isCommand(key)) {
        const { commandHelp } = await import('./command-help.js');
        stdout.write(commandHelp(key, programName(), stdout.paint));
        // Some keys of the settings are called like a command.
        if (!isKey(key)) return;
        stdout.write('\n');
      }
      process.exitCode = keyHelp(key, { stdout, stderr });
      return;
    }
    case 'version':
      stdout.write(`lb ${VERSION}\n`);
      return;
    case 'init': {
      const { init } = await import('./init/init.js');
      const { ask, close } = asker(stderr);
      const context = { stdout, stderr, program: programName(), exists: existsSync, ask };
      process.exitCode = await init(parsed.command.options, context).finally(close);
      return;
    }
    case 'check': {
      const { check } = await import('./check.js');
      process.exitCode = check(parsed.command.options, { stdout, stderr });
      return;
    }
    case 'explain': {
      const { explain } = await import('./explain.js');
      process.exitCode = explain(parsed.command.options, { stdout, stderr });
      return;
    }
    case 'certs': {
      const { certs } = await import('./certs.js');
      process.exitCode = await certs(parsed.command.options, { stdout, stderr });
      return;
    }
    case 'remote': {
      const { remote } = await import('./remote/remote.js');
      process.exitCode = await remote(parsed.command.options, remoteContext(stdout, stderr));
      return;
    }
    case 'healthcheck': {
      const { healthcheck } = await import('./healthcheck.js');
      const context = { stdout, stderr, env: process.env, exists: existsSync };
      process.exitCode = await healthcheck(parsed.command.options, context);
      return;
    }
    case 'completion': {
      const { completion } = await import('./completion.js');
      process.exitCode = await completion(parsed.command.words, remoteContext(stdout, stderr));
      return;
    }
    case 'run': {
      const files = fileLimit();
      if (files !== -1 && files < FEWEST_FILES) refuseFewFiles(stderr);
      // Loaded when needed: --help and a mistyped option need not wait for it.
      const [{ run }, { createBalancer }, sockets, { upgradeObstacle }] = await Promise.all([
        import('./run.js'),
        import('../balancer.js'),
        import('../net/inherited-sockets.js'),
        import('./upgrade/upgrade.js'),
      ]);
      await closeDebugger();
      const fromManager = sockets.socketsOfServiceManager(process.env, process.pid);
      const handover = (await old?.handover()) ?? null;
      old?.onEnd(() => unblockAgain(process.stdout, process.stderr));
      const inherited = new sockets.InheritedSockets(
        handover === null ? fromManager : sockets.socketsOfOldProgram(handover.sockets),
      );
      const { WATCHDOG_PID: _pid, ...env } = process.env;
      const code = await run(parsed.command.options, {
        stdout,
        stderr,
        signals,
        version: VERSION,
        program: programName(),
        env: process.env,
        createBalancer,
        inherited,
        serviceManager: (warn) =>
          ServiceManager.find(process.env, handover === null ? process.pid : null, warn),
        takeover: handover === null ? null : { changes: handover.changes, ready: () => old?.ready(VERSION) },
        relaunch: {
          how: { program: programOnDisk(), words, env },
          obstacle: upgradeObstacle(env, process.pid, process.ppid),
        },
        atExit: (last) => process.on('exit', last),
      });
      await Promise.all([stdout.flushed(), stderr.flushed()]);
      // Everything is closed and written; handles that a library keeps open must not delay the exit.
      process.exit(code);
    }
  }
}

/** Says what was probably meant, on a line of its own that can be copied, or where the right words are to be found. */
function refuse({ message, meant }: UsageError, words: readonly string[], stderr: Terminal): void {
  const program = programName();
  const [first] = words;
  if (meant === '')
    complain(stderr, `${message} Try ${isCommand(first) ? `${program} ${first}` : program} --help.`);
  else {
    complain(stderr, `${message} Did you mean this?`);
    stderr.write(`    ${program} ${meant}\n`);
  }
}

/** Closes the debugger that Node opens at a SIGUSR1 before the launcher's first line. Use --inspect to get one. */
async function closeDebugger(): Promise<void> {
  const words = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')];
  if (words.some((word) => word.startsWith('--inspect'))) return;
  // A Node that was built without the inspector refuses the import.
  const inspector = await import('node:inspector').catch(() => null);
  if (inspector?.url() !== undefined) inspector.close();
}

interface Asker {
  readonly ask: Ask | null;
  /** Input is no longer read, so that the process can end. */
  close(): void;
}

/** Asks on the terminal and reads lines; null without a terminal. */
function asker(stderr: Terminal): Asker {
  if (!process.stdin.isTTY || !stderr.isTty) return { ask: null, close: () => {} };
  let input: Interface | null = null;
  let lines: AsyncIterator<string> | null = null;
  const ask: Ask = async (question) => {
    // The line editing of the terminal is used: Ctrl-C is a signal, Ctrl-D the end.
    input ??= createInterface({ input: process.stdin, terminal: false });
    lines ??= input[Symbol.asyncIterator]();
    stderr.write(question);
    const { done, value } = await lines.next();
    return done === true ? null : value;
  };
  return { ask, close: () => input?.close() };
}

function remoteContext(stdout: Terminal, stderr: Terminal): RemoteContext {
  const pause: Pause = (ms, signal) =>
    setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  return {
    stdout,
    stderr,
    keyboard: process.stdin,
    signals: process,
    env: process.env,
    exists: existsSync,
    pause,
  };
}

/**
 * A bug in lb. The state cannot be trusted any more: report everything once and exit, so that a supervisor restarts it.
 */
function crash(error: unknown, stderr: Terminal): never {
  if (isShortOfFiles(error)) refuseFewFiles(stderr);
  const report = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const where = `lb ${VERSION}, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  stderr.write(`${stderr.paint.red('lb: internal error')}, please report it (${where}):\n${report}\n`);
  process.exit(1);
}

function refuseFewFiles(stderr: Terminal): never {
  complain(stderr, 'too few files may be open: ulimit -n 256 or more is needed.');
  process.exit(1);
}

/** All modules of the program are loaded at once: with a very low limit it cannot even start. */
function isShortOfFiles(error: unknown): boolean {
  const { code, path = '' } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' && path.endsWith('.js');
}

/** The program as it is on the disk now: what was unpacked with its Node is started by its launcher, which finds both. */
function programOnDisk(): readonly string[] {
  const { LB_PROGRAM: launcher = '' } = process.env;
  const path = launcher === '' ? '' : resolve(launcher);
  if (path !== '' && existsSync(path)) return [path];
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
}

/** The command that starts this program: `lb` once installed, `node bin/lb.js` in a clone, `bin/lb` unpacked. */
function programName(): string {
  const { LB_PROGRAM: launcher = '' } = process.env;
  if (launcher !== '') return isAbsolute(launcher) ? basename(launcher) : launcher;
  const script = process.argv[1] ?? 'lb';
  if (basename(script) !== 'lb.js') return basename(script);
  const path = relative(process.cwd(), script);
  return path.length > 20 ? 'lb' : `node ${path}`;
}
