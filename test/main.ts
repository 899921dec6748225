import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ownNetwork, withLoopback } from './support/own-network.js';

/**
 * All test files, as tap runs them: each a process of its own, `JOBS` of them at a time. `LB_TESTS` picks those whose path
 * below `test/` has this text in it.
 *
 * They are started as `node FILE` starts them. Given the files itself, tap's runner would load a module hook into each, and into
 * every Node that they start in turn, to measure coverage, which nobody asks for: a process then starts in 0.75 s instead of 0.3.
 *
 * Where the system permits it each has a loopback of its own. On one they share, a port that one file has let go of, because a
 * server is to be gone, may be another file's by the time it is asked, which now and then failed a run.
 */

const TESTS = fileURLToPath(new URL('.', import.meta.url));
const WITHOUT_HOOKS = ['env', '-u', 'NODE_OPTIONS', process.execPath];
/** More than there are cores: many tests wait for sockets, processes, a browser or containers. */
const JOBS = 3;
/** Of one file, unless it asks for more (`t.setTimeout`). */
const TIMEOUT_MS = 120_000;

/** They reach containers by the ports of the machine. */
const ON_THE_MACHINE = /^compose\//;
const network = ownNetwork([['unshare', '--net']]);

const wanted = process.env.LB_TESTS ?? '';
const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js') && name.includes(wanted))
  .sort();

t.jobs = JOBS;
t.setTimeout(0);
if (files.length === 0) t.fail(`no test file has ${JSON.stringify(wanted)} in its path`);
for (const name of files) {
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
