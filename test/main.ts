import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter, dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ownNetwork, withLoopback } from './support/own-network.js';

/**
 * All test files, as tap runs them: each a process of its own, `JOBS` of them at a time. `LB_TESTS` picks those whose path
 * below `test/` has one of its words in it. `LB_NODE` is the Node that they run on, and that they start programs with; without
 * it that is the Node that runs tap.
 *
 * They are started as `node FILE` starts them. Given the files itself, tap's runner would load a module hook into each, and into
 * every Node that they start in turn, to measure coverage, which nobody asks for: a process then starts in 0.75 s instead of 0.3.
 *
 * Where the system permits it each has a loopback of its own. On one they share, a port that one file has let go of, because a
 * server is to be gone, may be another file's by the time it is asked, which now and then failed a run.
 */

const TESTS = fileURLToPath(new URL('.', import.meta.url));
/** More than there are cores: many tests wait for sockets, processes, a browser or containers. */
const JOBS = 3;
/** Of one file, unless it asks for more (`t.setTimeout`). */
const TIMEOUT_MS = 120_000;

/** They reach containers by the ports of the machine. */
const ON_THE_MACHINE = /^compose\//;
const network = ownNetwork([['unshare', '--net']]);

const node = nodeOf(process.env.LB_NODE ?? '');
/** A `node` that a test finds by its name, as a shebang does, is the same one. */
const PATH = [dirname(node.path), process.env.PATH ?? ''].join(delimiter);
const WITHOUT_HOOKS = ['env', '-u', 'NODE_OPTIONS', `PATH=${PATH}`, node.path];

const wanted = (process.env.LB_TESTS ?? '').split(/\s+/).filter((word) => word !== '');
const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) =>
      name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((word) => name.includes(word))),
  )
  .sort();

t.jobs = JOBS;
t.setTimeout(0);
if (node.version === '') t.fail(`LB_NODE: ${node.path} is no Node that can be started`);
for (const word of wanted)
  if (!files.some((name) => name.includes(word)))
    t.fail(`no test file has ${JSON.stringify(word)} in its path`);
if (process.env.LB_NODE) t.comment(`Node ${node.version}`);
for (const name of node.version === '' ? [] : files) {
  const command = [...WITHOUT_HOOKS, '--enable-source-maps', TESTS + name];
  const isInside = network !== undefined && !ON_THE_MACHINE.test(name);
  const [program = 'env', ...rest] = isInside ? withLoopback(network, command) : command;
  void t.spawn(program, rest, {
    name: relative('.', TESTS + name),
    buffered: true,
    timeout: TIMEOUT_MS,
    at: null,
    stack: '',
  });
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
