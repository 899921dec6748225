import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RequestLog, type RequestLogOptions } from '../../lib/cli/request-log.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import { recordOf } from '../observe/record.js';
import { MemoryStream } from './support.js';

function logOf(t: Test, settings: Settings, options: Partial<RequestLogOptions> = {}) {
  const stream = new MemoryStream(true);
  const stdout = new Terminal(stream, { colour: false, env: {} });
  const warnings: string[] = [];
  const warning = (message: string): void => void warnings.push(message);
  const log = new RequestLog({ stdout, file: null, quiet: false, warning, ...options });
  log.applyConfig(createConfig(settings));
  t.teardown(() => log.close());
  return { log, stream, warnings };
}

const read = (file: string): string => readFileSync(file, 'utf8');

t.test('access_log as a map sets format, file, fields and which requests are logged', async (t) => {
  const file = join(t.testdir({}), 'access.log');
  const { log } = logOf(t, {
    access_log: { format: 'json', file, fields: ['status', 'server'], status: '400-599', slower_than: '1s' },
  });
  for (const changes of [{}, { status: 404 }, { durationMs: 1001 }]) log.requestSettled(recordOf(changes));
  await log.close();
  t.equal(read(file), '{"status":404,"server":"mango-1"}\n{"status":200,"server":"mango-1"}\n');
});

t.test('the access log in a file is json by default', async (t) => {
  const directory = t.testdir({});
  const plain = logOf(t, { access_log: { file: join(directory, 'a') } });
  const combined = logOf(t, {
    access_log: { file: join(directory, 'b'), format: 'combined', fields: ['reason'] },
  });
  const dev = logOf(t, { access_log: { file: join(directory, 'c'), format: 'dev' } });
  for (const { log } of [plain, combined, dev]) {
    log.requestSettled(recordOf({ target: '/\xe9' }));
    await log.close();
  }
  t.match(read(join(directory, 'a')), /^\{"ts".*"target":"\/\\u00e9".*\}\n$/);
  t.match(read(join(directory, 'b')), /"GET \/\\xe9 HTTP.* -\n$/);
  t.match(read(join(directory, 'c')), /GET {5}\/é /);
});

t.test('the command line wins over the file, and -q leaves a file alone', async (t) => {
  const directory = t.testdir({});
  const [asked, configured] = ['asked', 'configured'].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  const { log } = logOf(t, { access_log: { file: configured } }, { file: asked, quiet: true });
  log.requestSettled(recordOf());
  await log.close();
  t.match(read(asked), '"status":200');
  t.throws(() => read(configured));
  const quiet = logOf(t, { access_log: 'json' }, { quiet: true });
  quiet.log.requestSettled(recordOf());
  t.equal(quiet.stream.text, '');
});

t.test('after other settings the access log goes on in the new file, and no line is split', async (t) => {
  const directory = t.testdir({});
  const [first, second] = ['first', 'second'].map((name) => join(directory, name)) as [string, string];
  const { log, stream } = logOf(t, { access_log: { file: first } });
  log.requestSettled(recordOf({ requestId: 'one' }));
  log.applyConfig(createConfig({ access_log: { file: second, fields: ['request_id'] } }));
  log.requestSettled(recordOf({ requestId: 'two' }));
  log.applyConfig(createConfig({ access_log: 'dev' }));
  log.requestSettled(recordOf({ requestId: 'three' }));
  log.applyConfig(createConfig({ access_log: 'off' }));
  log.requestSettled(recordOf({ requestId: 'four' }));
  await log.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.match(read(first), /^\{"ts".*"one".*\}\n$/);
  t.equal(read(second), '{"request_id":"two"}\n');
  t.match(stream.text, /^\d\d:\d\d:\d\d {2}GET .*\n$/);
});

t.test('a file that cannot be opened changes nothing', async (t) => {
  const directory = t.testdir({});
  const file = join(directory, 'log');
  const { log } = logOf(t, { access_log: { file } });
  const nowhere = join(directory, 'no', 'log');
  t.throws(() => log.applyConfig(createConfig({ access_log: { file: nowhere } })), { code: 'ENOENT' });
  log.requestSettled(recordOf());
  await log.close();
  t.match(read(file), '"status":200');
});

t.test('a file that was moved away is opened anew', async (t) => {
  const file = join(t.testdir({}), 'log');
  const { log } = logOf(t, { access_log: { file, fields: ['status'] } });
  log.requestSettled(recordOf());
  renameSync(file, `${file}.1`);
  log.reopen();
  log.requestSettled(recordOf({ status: 404 }));
  await log.close();
  t.equal(read(`${file}.1`), '{"status":200}\n');
  t.equal(read(file), '{"status":404}\n');
});

t.test('no password or cookie is ever written', async (t) => {
  const file = join(t.testdir({}), 'log');
  const head = 'GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\nCookie: session=hunter2\r\n\r\n';
  for (const format of ['json', 'combined', 'dev'] as const) {
    const { log } = logOf(t, { access_log: { file, format } });
    log.requestSettled(
      recordOf({ requestHeadText: head, responseHeadText: 'HTTP/1.1 200 OK\r\nSet-Cookie: hunter2\r\n\r\n' }),
    );
    await log.close();
  }
  t.equal(read(file).split('\n').length, 4);
  t.notMatch(read(file), /c2VjcmV0|hunter2/);
});
