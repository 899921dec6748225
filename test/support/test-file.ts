import { spawn } from 'node:child_process';

/** A test file whose time is up has this long to report what it waits for; tap's own timer in it comes first. */
const GRACE_MS = 10_000;
/** The most for a file that asks for no limit: a run has to end. */
const LONGEST_MS = 1_200_000;
/** Of the output of one file; a test that writes without end is ended. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** What tap counts: assertions, not files. */
export interface Counts {
  pass: number;
  fail: number;
  skip: number;
  todo: number;
}

/** One test file that has ended. */
export interface FileOutcome {
  readonly counts: Counts;
  /** Why the file failed although none of its assertions did; empty where there is no such reason. */
  readonly fault: string;
  readonly durationMs: number;
  /** All that it has written, TAP and everything else, in the order in which it came. */
  readonly output: string;
}

/**
 * Runs one test file in a process of its own and reads its counts from the line with which tap ends its output:
 * `# { total: 9, pass: 7, fail: 1, skip: 1 }`. A file that ends in any other way has failed, whatever it wrote before.
 *
 * `timeoutMs` is the most it may take, unless it asks for another time (`t.setTimeout`, of which tap tells the parent process; 0
 * is 20 minutes). When that has passed for `graceMs` it gets SIGALRM, for which tap reports what it waits for, and SIGKILL if that does not end it.
 * A process that it has left running with its outputs fails it after `graceMs` too.
 */
export function runTestFile(
  command: readonly string[],
  timeoutMs: number,
  graceMs = GRACE_MS,
): Promise<FileOutcome> {
  const [program = '', ...args] = command;
  const since = performance.now();
  // Without a time from here tap would end a file after 30 s.
  const env = { ...process.env, TAP_TIMEOUT: String(timeoutMs / 1000) };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let fault = '';
  let timer: NodeJS.Timeout | undefined;

  const end = (reason: string): void => {
    fault ||= reason;
    child.kill('SIGALRM');
    timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  const limit = (ms: number): void => {
    clearTimeout(timer);
    const most = ms > 0 ? ms : LONGEST_MS;
    timer = setTimeout(() => end(`it did not end within ${most / 1000} s`), most + graceMs);
  };
  const keep = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
    else if (fault === '') end('it wrote more than 64 MiB');
  };

  limit(timeoutMs);
  child.on('message', (message: { setTimeout?: unknown }) => {
    if (fault === '' && typeof message?.setTimeout === 'number') limit(message.setTimeout);
  });
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      fault ||= `it could not be started: ${error.message}`;
      // Without a process there is no `close`.
      if (child.pid === undefined) settle(null, null);
    });
    // The outputs close with the last process that has them. One that a test has left running would keep them open for ever.
    child.on('exit', (status, signal) => {
      child.removeAllListeners('message');
      clearTimeout(timer);
      timer = setTimeout(() => {
        fault ||= 'a process that it started still runs';
        child.stdout?.destroy();
        child.stderr?.destroy();
        settle(status, signal);
      }, graceMs);
    });
    child.on('close', settle);

    function settle(status: number | null, signal: string | null): void {
      clearTimeout(timer);
      const output = Buffer.concat(chunks).toString();
      const counts = countsOf(output);
      resolve({
        counts: counts ?? { pass: 0, fail: 0, skip: 0, todo: 0 },
        fault: fault || faultOf(counts, status, signal),
        durationMs: performance.now() - since,
        output,
      });
    }
  });
}

/** Undefined where tap has not ended its output. */
function countsOf(output: string): Counts | undefined {
  const line = [...output.matchAll(/^# \{ (total: \d+[^}]*) \}$/gm)].at(-1)?.[1];
  if (line === undefined) return undefined;
  const counts: Counts = { pass: 0, fail: 0, skip: 0, todo: 0 };
  for (const [, figure = '', count] of line.matchAll(/(\w+): (\d+)/g))
    if (figure in counts) counts[figure as keyof Counts] = Number(count);
  return counts;
}

function faultOf(counts: Counts | undefined, status: number | null, signal: string | null): string {
  if (signal !== null) return `${signal} ended it`;
  if (counts === undefined)
    return status === 0 ? 'no test ran in it' : `it ended with ${status} before its tests had`;
  if (counts.fail === 0 && status !== 0) return `it ended with ${status} although no test failed`;
  return '';
}
