import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RequestLog } from '../../lib/cli/request-log.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { jsonLine } from '../../lib/observe/formats/json.js';
import { MemoryStream } from '../cli/support.js';
import { recordOf } from '../observe/record.js';
import { until } from '../support/loop-ticks.js';
import { Reporting } from './reporting.js';

function logOf(t: Test, accessLog: Settings['access_log'], isTty = false) {
  const stream = new MemoryStream(isTty);
  const stdout = new Terminal(stream, { colour: false, env: {} });
  const warnings: string[] = [];
  const warning = (message: string): void => void warnings.push(message);
  const log = new RequestLog({ stdout, file: null, quiet: false, warning });
  if (accessLog !== undefined) log.applyConfig(createConfig({ access_log: accessLog }));
  t.teardown(() => log.close());
  return { log, stream, warnings, reporting: new Reporting(t, [log]) };
}

t.test('lines of several threads are whole, once each, and in order within a thread', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log, reporting } = logOf(t, { file, format: 'json' });
  const reporters = [1, 2, 3].map((thread) => reporting.start(thread));
  for (let count = 0; count < 2000; count++) {
    for (const [thread, reporter] of reporters.entries())
      reporter.requestSettled(
        recordOf({ requestId: `${thread}-${count}`, target: `/${'x'.repeat(count % 200)}` }),
      );
    if (count % 400 === 0) await reporting.collect();
  }
  await reporting.collect();
  await log.close();
  const lines = readFileSync(file, 'utf8').split('\n');
  t.equal(lines.pop(), '', 'the file ends with a line feed');
  t.equal(lines.length, 6000);
  const next = [0, 0, 0];
  for (const line of lines) {
    const { request_id: id } = JSON.parse(line) as { request_id: string };
    const [thread = 0, count] = id.split('-').map(Number);
    if (next[thread] !== count) t.fail(`${id} comes where ${next[thread]} was expected`);
    next[thread] = (next[thread] ?? 0) + 1;
  }
  t.equal(log.dropped, 0);
});

t.test('a line is the same as if the main thread had written it', async (t) => {
  const directory = t.testdir({});
  const formats = ['json', 'combined', 'dev'] as const;
  for (const format of formats) {
    const record = recordOf({ target: '/\xe9"', userAgent: 'a "quoted" agent' });
    const [here, there] = ['here', 'there'].map((name) => join(directory, `${name}-${format}`)) as [
      string,
      string,
    ];
    const one = logOf(t, { file: here, format });
    one.log.requestSettled(record);
    await one.log.close();
    const other = logOf(t, { file: there, format });
    other.reporting.start(1).requestSettled(record);
    await other.reporting.collect();
    await other.log.close();
    t.equal(readFileSync(there, 'utf8'), readFileSync(here, 'utf8'), format);
  }
});

t.test('lines of threads have the header fields that the settings name', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log, reporting } = logOf(t, { file, fields: ['status'], request_headers: ['accept'] });
  reporting.start(1).requestSettled(recordOf({ requestHeadText: 'GET / HTTP/1.1\r\nAccept: a/b\r\n\r\n' }));
  await reporting.collect();
  await log.close();
  t.equal(readFileSync(file, 'utf8'), '{"status":200,"request_headers":{"accept":"a/b"}}\n');
});

t.test('the filter is applied in the thread', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log, reporting } = logOf(t, { file, fields: ['status'], status: '400-599' });
  const reporter = reporting.start(1);
  for (const status of [200, 404, 302, 500]) reporter.requestSettled(recordOf({ status }));
  await reporting.collect();
  await log.close();
  t.equal(readFileSync(file, 'utf8'), '{"status":404}\n{"status":500}\n');
});

t.test('a line that is longer than a block is written whole, in its place', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log, reporting } = logOf(t, { file, format: 'json' });
  const reporter = reporting.start(1);
  const records = ['one', 'x'.repeat(200_000), 'three'].map((requestId) => recordOf({ requestId }));
  for (const record of records) reporter.requestSettled(record);
  await reporting.collect();
  await log.close();
  t.equal(readFileSync(file, 'utf8'), records.map(jsonLine).join(''));
});

t.test('lines beyond 4 MiB that wait for the main thread are dropped and counted', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log, reporting, warnings } = logOf(t, { file, format: 'json' });
  const reporter = reporting.start(1);
  const record = recordOf({ target: `/${'x'.repeat(1000)}` });
  const length = jsonLine(record).length;
  // The main thread, which is this one, reads nothing meanwhile.
  for (let count = 0; count < 10_000; count++) reporter.requestSettled(record);
  await reporting.collect();
  await log.close();
  const written = readFileSync(file, 'utf8').length / length;
  t.ok(written * length > 3.5 * 1024 * 1024, `${written} lines were written`);
  t.ok(written * length <= 4 * 1024 * 1024);
  t.equal(log.dropped, 10_000 - written);
  t.match(warnings, [/the main thread is too busy, \d+ lines were dropped so far/]);
});

t.test('a renamed file gets the lines that were written before it was reopened', async (t) => {
  const directory = t.testdir({});
  const file = join(directory, 'access.log');
  const { log, reporting } = logOf(t, { file, fields: ['request_id'] });
  const reporter = reporting.start(1);
  reporter.requestSettled(recordOf({ requestId: 'before' }));
  await reporting.collect();
  renameSync(file, join(directory, 'access.log.1'));
  log.reopen();
  reporter.requestSettled(recordOf({ requestId: 'after' }));
  await reporting.collect();
  await log.close();
  t.equal(readFileSync(join(directory, 'access.log.1'), 'utf8'), '{"request_id":"before"}\n');
  t.equal(readFileSync(file, 'utf8'), '{"request_id":"after"}\n');
});

t.test('threads follow other settings of the log', async (t) => {
  const directory = t.testdir({});
  const { log, reporting } = logOf(t, { file: join(directory, 'a'), fields: ['request_id'] });
  const reporter = reporting.start(1);
  reporter.requestSettled(recordOf({ requestId: 'one' }));
  await reporting.collect();
  log.applyConfig(createConfig({ access_log: { file: join(directory, 'b'), fields: ['status'] } }));
  reporting.reports.applyTerms();
  await reporting.collect();
  reporter.requestSettled(recordOf({ requestId: 'two' }));
  await reporting.collect();
  log.applyConfig(createConfig({ access_log: 'off' }));
  reporting.reports.applyTerms();
  await reporting.collect();
  reporter.requestSettled(recordOf({ requestId: 'three' }));
  await reporting.collect();
  await log.close();
  // Files that are not in use any more are closed beside the log.
  for (const name of ['a', 'b'])
    await until(() => readFileSync(join(directory, name), 'utf8') !== '', `file ${name} is written`);
  t.equal(readFileSync(join(directory, 'a'), 'utf8'), '{"request_id":"one"}\n');
  t.equal(readFileSync(join(directory, 'b'), 'utf8'), '{"status":200}\n');
});

t.test('a person at a terminal gets lines with the columns of the terminal', async (t) => {
  const { log, stream, reporting } = logOf(t, 'dev', true);
  t.equal(log.reads, 'records');
  reporting.start(1).requestSettled(recordOf({ target: '/for-people' }));
  await reporting.collect();
  t.match(stream.text, /GET {5}\/for-people/);
});
