import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readRegularFile } from '../../lib/base/regular-file.js';

t.test('a regular file is read whole, also one whose size is shown as 0', async (t) => {
  const directory = t.testdir({ 'a.txt': 'Grüße\n', 'empty.txt': '' });
  t.equal(readRegularFile(join(directory, 'a.txt')), 'Grüße\n');
  t.equal(readRegularFile(join(directory, 'empty.txt')), '');
  t.match(readRegularFile('/proc/self/status'), /^Name:/);
});

t.test('a link to a regular file is one', async (t) => {
  const directory = t.testdir({ 'a.txt': 'a', link: t.fixture('symlink', 'a.txt') });
  t.equal(readRegularFile(join(directory, 'link')), 'a');
});

t.test('a named pipe, a device, a socket and a directory are refused at once', async (t) => {
  const directory = t.testdir({ folder: {} });
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // The path of a socket has at most 107 bytes.
  const socket = join(mkdtempSync(join(tmpdir(), 'lb-')), 's');
  t.teardown(() => rmSync(dirname(socket), { recursive: true }));
  const server = createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const refused = { name: 'FileError' };
  t.throws(() => readRegularFile(pipe), { ...refused, message: 'it is a named pipe, not a regular file' });
  t.throws(() => readRegularFile('/dev/zero'), { ...refused, message: 'it is a device, not a regular file' });
  t.throws(() => readRegularFile(socket), { ...refused, message: 'it is a socket, not a regular file' });
  t.throws(() => readRegularFile(join(directory, 'folder')), {
    ...refused,
    message: 'it is a directory, not a regular file',
  });
  t.throws(() => readRegularFile(join(directory, 'none')), { code: 'ENOENT', syscall: 'stat' });
});

t.test('a file is read up to a size', async (t) => {
  const directory = t.testdir();
  const file = join(directory, 'large');
  writeFileSync(file, Buffer.alloc(4096));
  t.equal(readRegularFile(file, 4096).length, 4096);
  t.throws(() => readRegularFile(file, 4095), { name: 'FileError', message: 'it is larger than 4095b' });
  t.throws(
    () => readRegularFile('/proc/self/maps', 100),
    { message: 'it is larger than 100b' },
    'nor more, if the size is not told',
  );
});
