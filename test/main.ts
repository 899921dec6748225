import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownNetwork, withLoopback } from './support/own-network.js';
import { type Counts, type FileOutcome, runTestFile } from './support/test-file.js';
import { processesOf, testFiles, unknownWords } from './support/test-files.js';

/**
 * Runs the test files, each in a process of its own or with others that test functions alone (`TOGETHER` in `support/test-files`), some
 * processes at a time. `LB_TEST_SET` is `quick` or `slow` (`support/test-files`);
 * `LB_TESTS` picks from both those whose path below `test/` has one of its words in it. `LB_NODE` is the Node that they run on, and that
 * they start programs with; without it that is the Node that runs this.
 *
 * They are started as `node FILE` starts them. tap's own runner would read the output of each twice, which costs 20 s of a whole run, and
 * load a module hook into each and into every Node that they start in turn, to measure coverage, which nobody asks for.
 *
 * Where the system permits it each has a loopback of its own. On one they share, a port that one file has let go of, because a
 * server is to be gone, may be another file's by the time it is asked, which now and then failed a run.
 *
 * The output is TAP: a line for each file when it has ended, after it all that a failed one wrote, and the counts at the end.
 */

const TESTS = fileURLToPath(new URL('.', import.meta.url));
/** Of one file, unless it asks for more (`t.setTimeout`). Balancers of several threads take seconds of a processor to start. */
const TIMEOUT_MS = Number(process.env.LB_TEST_WORKERS || 1) > 1 ? 300_000 : 120_000;
/** So many of the longest are named at the end. */
const LONGEST_SHOWN = 5;

/** They reach containers by the ports of the machine. */
const ON_THE_MACHINE = /^compose\//;

const node = nodeOf(process.env.LB_NODE ?? '');
const wanted = (process.env.LB_TESTS ?? '').split(/\s+/).filter((word) => word !== '');
const all = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.test.js'),
);
const files = testFiles(all, process.env.LB_TEST_SET ?? 'quick', wanted);
const network = ownNetwork([['unshare', '--net']]);
/**
 * More than there are cores: many tests wait for sockets, processes, a browser or containers. Few where all have one loopback, and
 * not as many as a large machine has cores: some files start several programs.
 */
const JOBS = Math.min(availableParallelism(), network === undefined ? 2 : 16) + 1;

const total: Counts = { pass: 0, fail: 0, skip: 0, todo: 0 };
const failed: string[] = [];
const durations: { name: string; durationMs: number }[] = [];
let ended = 0;

process.stdout.write('TAP version 14\n');
if (node.version === '') failBeforeAll(`LB_NODE: ${node.path} is no Node that can be started`);
for (const word of unknownWords(all, wanted))
  failBeforeAll(`no test file has ${JSON.stringify(word)} in its path`);
if (process.env.LB_NODE) print(`# Node ${node.version}`);

const queue = node.version === '' ? [] : processesOf(files);
await Promise.all(Array.from({ length: JOBS }, runQueue));
summarize();
if (total.fail > 0) process.exitCode = 1;

async function runQueue(): Promise<void> {
  for (let names = queue.shift(); names !== undefined; names = queue.shift())
    report(names, await runTestFile(commandOf(names), TIMEOUT_MS));
}

function commandOf([name = '', ...others]: readonly string[]): string[] {
  // A `node` that a test finds by its name, as a shebang does, is the same one.
  const path = [dirname(node.path), process.env.PATH ?? ''].join(delimiter);
  const command = ['env', '-u', 'NODE_OPTIONS', `PATH=${path}`, node.path];
  if (others.length === 0) command.push(TESTS + name);
  else
    command.push(`${TESTS}support/together.js`, TESTS + name, ...[name, ...others].map((one) => TESTS + one));
  return network === undefined || ON_THE_MACHINE.test(name) ? command : withLoopback(network, command);
}

function report([name = '', ...others]: readonly string[], outcome: FileOutcome): void {
  const { counts, fault, durationMs, output } = outcome;
  const path = relative('.', TESTS + name) + (others.length > 0 ? ` and ${others.length} more` : '');
  const isFailed = fault !== '' || counts.fail > 0;
  if (fault !== '') counts.fail++;
  for (const figure of Object.keys(total) as (keyof Counts)[]) total[figure] += counts[figure];
  durations.push({ name: path, durationMs });
  const result = `${++ended} - ${path} # time=${durationMs.toFixed(0)}ms`;
  print(isFailed ? `not ok ${result}` : `ok ${result}`);
  if (!isFailed) {
    for (const [line] of output.matchAll(/^ *ok \d+ - .* # SKIP.*$/gm)) print(`    # ${line.trim()}`);
    return;
  }
  failed.push(fault === '' ? `${path}: ${counts.fail} failed` : `${path}: ${fault}`);
  print(output.replace(/^(?=.)/gm, '    '));
  if (fault !== '') print(`    not ok - ${fault}`);
}

function failBeforeAll(reason: string): void {
  total.fail++;
  failed.push(reason);
  print(`not ok ${++ended} - ${reason}`);
}

function summarize(): void {
  print(`1..${ended}`);
  const longest = durations.sort((one, other) => other.durationMs - one.durationMs).slice(0, LONGEST_SHOWN);
  for (const { name, durationMs } of longest)
    print(`# ${(durationMs / 1000).toFixed(1).padStart(5)} s ${name}`);
  for (const line of failed) print(`# FAILED ${line}`);
  const counted = total.pass + total.fail + total.skip + total.todo;
  print(
    `# { total: ${counted}, pass: ${total.pass}, fail: ${total.fail}, skip: ${total.skip}, todo: ${total.todo} }`,
  );
  print(`# time=${performance.now().toFixed(0)}ms`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The Node at `path`, or the one that runs this. Its version is empty where it can not be started. */
function nodeOf(path: string): { readonly path: string; readonly version: string } {
  if (path === '') return { path: process.execPath, version: process.version };
  const { stdout } = spawnSync(path, ['--print', 'process.version + "\\n" + process.execPath'], {
    encoding: 'utf8',
  });
  const [version = '', execPath] = (stdout ?? '').trim().split('\n');
  return { path: execPath ?? path, version };
}
