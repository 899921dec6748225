import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs, { closeSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BatchedSink } from '../../lib/observe/batched-sink.js';

t.test('a file', async (t) => {
  t.test('has every line in order once closed, what was there before included', async (t) => {
    const file = join(t.testdir({ log: 'before\n' }), 'log');
    const sink = new BatchedSink({ target: file });
    let expected = 'before\n';
    for (let i = 0; i < 5000; i++) {
      sink.write(`line ${i}\n`);
      expected += `line ${i}\n`;
    }
    await sink.close();
    t.equal(readFileSync(file, 'utf8'), expected);
    t.equal(sink.dropped, 0);
  });

  t.test('is written within a second without being closed', async (t) => {
    const file = join(t.testdir({}), 'log');
    const sink = new BatchedSink({ target: file });
    sink.write('one\n');
    // Ticks rather than a deadline: a machine that is late with these is as late with the sink's own timer.
    for (let tick = 0; tick < 100 && readFileSync(file, 'utf8') === ''; tick++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    t.equal(readFileSync(file, 'utf8'), 'one\n');
    await sink.close();
  });

  t.test('goes on in a new one after it was moved away', async (t) => {
    const directory = t.testdir({});
    const file = join(directory, 'log');
    const sink = new BatchedSink({ target: file });
    sink.write('old\n');
    renameSync(file, `${file}.1`);
    sink.reopen();
    sink.write('new\n');
    await sink.close();
    t.equal(readFileSync(`${file}.1`, 'utf8'), 'old\n');
    t.equal(readFileSync(file, 'utf8'), 'new\n');
  });

  t.test('stays in use when no new one can be opened', async (t) => {
    const directory = t.testdir({ logs: {} });
    const warnings: string[] = [];
    const sink = new BatchedSink({
      target: join(directory, 'logs', 'log'),
      warning: (message) => warnings.push(message),
    });
    renameSync(join(directory, 'logs'), join(directory, 'moved'));
    sink.reopen();
    sink.write('kept\n');
    await sink.close();
    t.match(warnings, [/ENOENT.*the old file stays in use/]);
    t.equal(readFileSync(join(directory, 'moved', 'log'), 'utf8'), 'kept\n');
  });

  t.test('that cannot be opened is an error at once', async (t) => {
    t.throws(() => new BatchedSink({ target: join(t.testdir({}), 'no', 'log') }), { code: 'ENOENT' });
  });

  t.test('has its lines even when there is no time to wait', async (t) => {
    const file = join(t.testdir({}), 'log');
    const sink = new BatchedSink({ target: file });
    sink.write('last words\n');
    sink.closeNow();
    t.equal(readFileSync(file, 'utf8'), 'last words\n');
    sink.write('too late\n');
    t.equal(sink.dropped, 1);
  });
});

t.test(
  'a named pipe is opened without a reader, keeps lines for the first and stays for the next',
  async (t) => {
    const pipe = join(t.testdir({}), 'pipe');
    spawnSync('mkfifo', [pipe]);
    const warnings: string[] = [];
    const sink = new BatchedSink({ target: pipe, warning: (message) => warnings.push(message) });
    for (const line of ['first\n', 'second\n']) {
      sink.write(line);
      const reader = spawn('head', ['-n', '1', pipe]);
      const [bytes] = (await once(reader.stdout, 'data')) as [Buffer];
      t.equal(String(bytes), line);
      await once(reader, 'close');
    }
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 8 * 1024; i++) sink.write(line);
    t.ok(sink.dropped > 3 * 1024, `dropped ${sink.dropped}`);
    sink.closeNow();
    t.match(warnings, [/too slow/]);
  },
);

t.test('a disk that takes nothing costs lines, not memory, and is reported once', async (t) => {
  // Every write to /dev/full fails with ENOSPC.
  const full = openSync('/dev/full', 'w');
  const warnings: string[] = [];
  const sink = new BatchedSink({ target: full, warning: (message) => warnings.push(message) });
  const line = `${'x'.repeat(1023)}\n`;
  for (let i = 0; i < 8 * 1024; i++) sink.write(line);
  t.ok(sink.dropped > 3 * 1024 && sink.dropped < 8 * 1024, `dropped ${sink.dropped}`);
  await sink.close();
  t.match(warnings, [/too slow/, /ENOSPC/]);
  t.equal(warnings.length, 2);
  closeSync(full);
});

t.test('what a disk did not take is written once it does, with a message', async (t) => {
  // The sink itself keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(alive));
  const file = join(t.testdir({}), 'log');
  const warnings: string[] = [];
  let warned = (): void => {};
  const sink = new BatchedSink({
    target: file,
    warning: (message) => {
      warnings.push(message);
      warned();
    },
  });
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      warned = resolve;
    });
  // Its fs.write fails as on a full disk.
  const { write } = fs;
  fs.write = ((_fd: number, ...rest: unknown[]) => {
    const callback = rest.at(-1) as (error: Error) => void;
    process.nextTick(callback, Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
  }) as typeof write;
  t.teardown(() => {
    fs.write = write;
  });
  sink.write('kept\n');
  await next();
  fs.write = write;
  sink.write('more\n');
  await next();
  await sink.close();
  t.equal(readFileSync(file, 'utf8'), 'kept\nmore\n');
  t.match(warnings, [/ENOSPC.* is kept/, /written again/]);
});

t.test('a reader that goes away ends the writing and nothing else', async (t) => {
  const script = `
    import { BatchedSink } from ${JSON.stringify(new URL('../../lib/observe/batched-sink.js', import.meta.url).href)};
    process.stdout.on('error', () => {});
    const sink = new BatchedSink({ target: 1, warning: (message) => console.error(message) });
    const timer = setInterval(() => {
      // One batch that goes out at once, and the start of one that waits when the pipe turns out to be broken.
      sink.write('line\\n'.repeat(8000));
      sink.write('line\\n');
      if (sink.dropped < 200) return;
      clearInterval(timer);
      console.error('alive');
    }, 5);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = await once(child, 'close');
  t.equal(said, 'access log: its reader is gone, no more lines are written\nalive\n');
  t.equal(code, 0);
});
