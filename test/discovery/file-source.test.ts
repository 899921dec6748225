import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import { FileSource } from '../../lib/discovery/file-source.js';
import { until } from '../support/loop-ticks.js';

const groups = (...targets: string[]): string => JSON.stringify([{ targets }]);

function scene(t: Test, pattern: string) {
  const folder = t.testdir();
  const wheel = new TimerWheel(systemClock);
  const source = new FileSource({ kind: 'file', folder, pattern }, { wheel });
  t.teardown(() => {
    source.stop();
    wheel.close();
  });
  const seen = { servers: '', trouble: '', answers: 0, failures: 0 };
  const listener = {
    onServers(servers: readonly { address: string }[], _valid: number, trouble = ''): void {
      seen.answers++;
      seen.servers = servers.map(({ address }) => address).join(' ');
      seen.trouble = trouble;
    },
    onFailed(reason: string): void {
      seen.failures++;
      seen.trouble = reason;
    },
  };
  return {
    folder,
    source,
    seen,
    ask: () => source.ask(listener),
    path: (name: string) => join(folder, name),
  };
}

t.test('files that fit the pattern are read, watched, and forgotten when they are gone', async (t) => {
  const { seen, ask, path } = scene(t, 'app-?*.json');
  writeFileSync(path('app-1.json'), groups('10.0.0.1:80'));
  writeFileSync(path('app-.json'), groups('10.0.0.9:80'));
  writeFileSync(path('other.json'), groups('10.0.0.9:80'));
  ask();
  await until(() => seen.servers === '10.0.0.1:80');
  writeFileSync(path('app-2.json'), groups('10.0.0.2:80', '10.0.0.3:80'));
  await until(() => seen.servers === '10.0.0.1:80 10.0.0.2:80 10.0.0.3:80');
  writeFileSync(path('tmp'), groups('10.0.0.4:80'));
  renameSync(path('tmp'), path('app-2.json'));
  await until(() => seen.servers === '10.0.0.1:80 10.0.0.4:80');
  rmSync(path('app-1.json'));
  await until(() => seen.servers === '10.0.0.4:80');
  rmSync(path('app-2.json'));
  await until(() => seen.servers === '');
  t.equal(seen.trouble, '');
});

t.test('a broken file keeps its last good servers, and says where it is broken', async (t) => {
  const { seen, ask, path } = scene(t, '*.yml');
  writeFileSync(path('a.yml'), '- targets: [10.0.0.1:80]\n');
  writeFileSync(path('b.yml'), '- targets: [10.0.0.2:80]\n');
  ask();
  await until(() => seen.servers === '10.0.0.1:80 10.0.0.2:80');
  writeFileSync(path('a.yml'), '- targets: [10.0.0.1:80\n  labels: {\n');
  await until(() => seen.trouble !== '');
  t.match(seen.trouble, /a\.yml: line \d+, column \d+: /);
  t.equal(seen.servers, '10.0.0.1:80 10.0.0.2:80');
  writeFileSync(path('b.yml'), '- targets: [10.0.0.3:80]\n');
  await until(() => seen.servers === '10.0.0.1:80 10.0.0.3:80');
  t.match(seen.trouble, /a\.yml/, 'the other file is followed meanwhile');
  writeFileSync(path('a.yml'), '- targets: [10.0.0.4:80]\n');
  await until(() => seen.servers === '10.0.0.4:80 10.0.0.3:80');
  t.equal(seen.trouble, '');
});

t.test('a file that is missing, or that is no file, is an error; it is found when it comes', async (t) => {
  const { seen, ask, path, folder } = scene(t, 'targets.json');
  ask();
  await until(() => seen.failures === 1);
  t.equal(seen.trouble, `${folder}/targets.json cannot be read: there is no such file or folder`);
  mkdirSync(path('targets.json'));
  await until(() => /directory/.test(seen.trouble));
  rmSync(path('targets.json'), { recursive: true });
  writeFileSync(path('targets.json'), groups('10.0.0.1:80'));
  await until(() => seen.servers === '10.0.0.1:80');
  t.equal(seen.trouble, '');
});

t.test('a folder that is missing is an error, and is found when it is asked again', async (t) => {
  const { seen, ask, folder, path } = scene(t, '*.json');
  rmSync(folder, { recursive: true });
  ask();
  await until(() => seen.failures === 1);
  t.match(seen.trouble, /cannot be read: there is no such file or folder/);
  mkdirSync(folder);
  writeFileSync(path('a.json'), groups('10.0.0.1:80'));
  ask();
  await until(() => seen.servers === '10.0.0.1:80');
});

t.test('a file that is written in pieces is read when it is complete', async (t) => {
  const { seen, ask, path } = scene(t, '*.yml');
  const line = (i: number): string => `- targets: [10.0.0.${i}:80]\n`;
  writeFileSync(path('a.yml'), line(1) + line(2));
  ask();
  await until(() => seen.servers === '10.0.0.1:80 10.0.0.2:80');
  const before = seen.servers;
  writeFileSync(path('a.yml'), '');
  for (let i = 3; i < 8; i++) {
    writeFileSync(path('a.yml'), line(i), { flag: 'a' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(seen.servers, before);
  }
  await until(() => seen.servers === '10.0.0.3:80 10.0.0.4:80 10.0.0.5:80 10.0.0.6:80 10.0.0.7:80');
});
