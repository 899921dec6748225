import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runTestFile } from '../support/test-file.js';
import { processesOf, SLOW, TOGETHER, testFiles, unknownWords } from '../support/test-files.js';

const PASSED = "console.log('ok 1 - one\\n1..1\\n# { total: 3, pass: 2, skip: 1 }')";
const FAILED =
  "console.log('not ok 1 - one\\n1..1\\n# { total: 5, pass: 2, fail: 3 }'); process.exitCode = 1";

t.test('the counts of a test file are those that tap closes its output with', async (t) => {
  const passed = await run(PASSED);
  t.strictSame(passed.counts, { pass: 2, fail: 0, skip: 1, todo: 0 });
  t.equal(passed.fault, '');
  const failed = await run(FAILED);
  t.strictSame(failed.counts, { pass: 2, fail: 3, skip: 0, todo: 0 });
  t.equal(failed.fault, '', 'its own failures say enough');
});

t.test('a test file that did not end as tap ends has failed, whatever it wrote before', async (t) => {
  t.equal((await run('')).fault, 'no test ran in it');
  t.equal((await run("console.log('ok 1 - one')")).fault, 'no test ran in it');
  t.equal(
    (await run("console.log('ok 1 - one'); process.exit(7)")).fault,
    'it ended with 7 before its tests had',
  );
  t.equal((await run(`${PASSED}; process.exitCode = 7`)).fault, 'it ended with 7 although no test failed');
  t.equal((await run(`${PASSED}; process.kill(process.pid, 'SIGKILL')`)).fault, 'SIGKILL ended it');
  t.match((await runTestFile(['/nowhere/node'], 1000)).fault, /^it could not be started: /);
});

t.test('what a test file writes to both outputs is kept', async (t) => {
  const { output } = await run(`console.error('why'); ${PASSED}`);
  t.match(output, 'why');
  t.match(output, 'ok 1 - one');
});

t.test('a test file that hangs is ended', async (t) => {
  const { fault } = await run('for (;;);', 100, 200);
  t.equal(fault, 'it did not end within 0.1 s');
});

t.test('a test file fails that leaves a process running with its outputs', async (t) => {
  const sleeper = "require('node:child_process').spawn('sleep', ['20'], { stdio: 'inherit' })";
  const since = performance.now();
  const { fault, counts } = await run(
    `const child = ${sleeper}; child.unref(); console.error(child.pid); ${PASSED}`,
    20_000,
    200,
  );
  t.equal(fault, 'a process that it started still runs');
  t.equal(counts.pass, 2);
  t.ok(performance.now() - since < 15_000, 'the run goes on without it');
});

t.test('a test file may ask for another time than that of all', async (t) => {
  const { fault } = await run('process.send({ setTimeout: 50 }); setInterval(() => {}, 1000)', 60_000, 200);
  t.equal(fault, 'it did not end within 0.05 s');
});

t.test('each test file is in one set, and a folder that is named has both', (t) => {
  const all = ['net/b.test.js', 'net/a.test.js', ...SLOW.map((word) => `${word}x.test.js`)];
  t.strictSame(testFiles(all, 'quick', []), ['net/a.test.js', 'net/b.test.js']);
  t.equal(testFiles(all, 'slow', []).length, SLOW.length);
  t.strictSame(testFiles(all, 'quick', ['net/', 'packaging/']).sort(), [
    'net/a.test.js',
    'net/b.test.js',
    'packaging/x.test.js',
  ]);
  t.strictSame(unknownWords(['net/a.test.js'], ['net/', 'nets/'])[0], 'nets/');
  t.end();
});

function run(source: string, timeoutMs = 20_000, graceMs = 5_000): ReturnType<typeof runTestFile> {
  return runTestFile([process.execPath, '--eval', source], timeoutMs, graceMs);
}

const TESTS = fileURLToPath(new URL('../../../test/', import.meta.url));

t.test('files that run together are one process, in the place of the first of them', async (t) => {
  const files = ['base/address.test.js', 'base/clock.test.js', 'base/units.test.js', 'net/unix.test.js'];
  t.strictSame(processesOf(files), [
    ['base/address.test.js', 'base/units.test.js'],
    ['base/clock.test.js'],
    ['net/unix.test.js'],
  ]);
});

t.test('files that run together have nothing by which one could notice another', async (t) => {
  const apart =
    /\bprocess\.|processorTime|performance|memoryUsage|setTimeout|setInterval|Date\.now|node:(?:net|http|https|tls|child_process|worker_threads|diagnostics_channel)|startBalancer|RawClient|startCrowd|onCreated|nothingIsLeft|memory\.buffer|^t\.(?!test)/m;
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  for (const words of TOGETHER)
    for (const word of words) {
      const found = files.filter((name) => name.includes(word));
      t.equal(found.length, 1, `${word} names one file: ${found}`);
      const text = readFileSync(join(TESTS, found[0] ?? ''), 'utf8');
      t.equal(apart.exec(text)?.[0] ?? '', '', `${word} can run with others`);
    }
});

t.test('of files that run together every assertion counts, and a failed one fails the process', async (t) => {
  const folder = t.testdir({
    'one.mjs': "import t from 'tap'; t.test('one', async (t) => { t.ok(true); t.ok(true); });",
    'two.mjs': "import t from 'tap'; t.test('two', async (t) => { t.equal(t.testdir(), 2); });",
  });
  // They find tap where this file finds it.
  const together = fileURLToPath(new URL('../support/together.js', import.meta.url));
  const files = ['one.mjs', 'two.mjs'].map((name) => join(folder, name));
  const passed = await runTestFile([process.execPath, together, 'some', files[0] ?? ''], 20_000);
  t.match(passed, { counts: { pass: 3, fail: 0 }, fault: '' });
  const failed = await runTestFile([process.execPath, together, 'some', ...files], 20_000);
  t.match(failed, { counts: { pass: 3, fail: 1 }, fault: '' });
  t.match(failed.output, /two\.mjs/);
  const broken = await runTestFile([process.execPath, together, 'some', join(folder, 'none.mjs')], 20_000);
  t.ok(broken.counts.fail > 0);
});
