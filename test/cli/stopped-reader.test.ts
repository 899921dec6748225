import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { LAUNCHER } from './support.js';

// Programs start slowly on a busy machine.
t.setTimeout(120_000);

const STOP = '\x13';
const GO_ON = '\x11';
const INTERRUPT = '\x03';

/** It answers by itself: what is asked here is whether it answers at all. */
const SETTINGS = 'listen: 127.0.0.1:0\nrespond: { body: here }\n';

const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };

/** What a process has written so far, and the moment in which it matches. */
class Output {
  text = '';

  constructor(child: ChildProcess, name: 'stdout' | 'stderr') {
    child[name]!.setEncoding('utf8').on('data', (part: string) => {
      this.text += part;
    });
  }

  async has(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.text), `it writes ${pattern}`);
    const match = pattern.exec(this.text);
    return match?.[1] ?? match?.[0] ?? '';
  }
}

function settings(t: Test): string {
  return `${t.testdir({ 'lb.yaml': SETTINGS })}/lb.yaml`;
}

/** The program in a terminal of its own, of which the test has the keyboard and the screen. */
async function onTerminal(t: Test, args: readonly string[]) {
  const words = [process.execPath, LAUNCHER, '-c', settings(t), ...args].map((word) => `'${word}'`);
  const command = `stty cols 120 rows 24; exec ${words.join(' ')}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const screen = new Output(child, 'stdout');
  const client = await connect(t, await screen.has(/curl (http:\S+)/));
  const press = async (key: string): Promise<void> => {
    child.stdin!.write(key);
    await pause(50);
  };
  const ended = once(child, 'exit').then(([code]) => code as number);
  return { screen, client, press, ended };
}

async function connect(t: Test, url: string): Promise<RawClient> {
  const client = await RawClient.connect(Number(new URL(url).port));
  t.teardown(() => client.destroy());
  return client;
}

/** Asks so often, one after the other. */
async function ask(client: RawClient, target: string, times = 1, field = ''): Promise<void> {
  for (let i = 0; i < times; i++) {
    client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${field === '' ? '' : `X-Long: ${field}\r\n`}\r\n`);
    const { status } = await client.response();
    if (status !== 200) throw new Error(`status ${status}`);
  }
}

for (const format of ['dev', 'json'])
  t.test(`Ctrl-S holds back the lines of ${format}, not the answers, and Ctrl-Q shows them`, async (t) => {
    const { screen, client, press, ended } = await onTerminal(t, ['--access-log', format]);
    await ask(client, '/seen');
    await screen.has(/seen/);
    await press(STOP);
    await ask(client, '/held', 50);
    await ask(client, '/last');
    t.notMatch(screen.text, /last/);
    await press(GO_ON);
    await screen.has(/last/);
    t.equal(screen.text.match(/\/held/g)?.length, 50);
    client.destroy();
    await press(INTERRUPT);
    t.equal(await ended, 0);
    t.match(screen.text, /every request was answered/);
  });

t.test(
  'a stopped terminal costs bounded memory, is told how many lines are missing, and delays no shutdown',
  async (t) => {
    const { screen, client, press, ended } = await onTerminal(t, ['-v']);
    await press(STOP);
    // The heads are shown: 3 MB.
    await ask(client, '/', 120, 'y'.repeat(25_000));
    t.notMatch(screen.text, /yyy/);
    await press(GO_ON);
    await screen.has(/\(\d+ lines are missing here: the reader was too slow\)/);
    t.ok(screen.text.length < 1.5 * 1024 * 1024, `${screen.text.length} were shown`);
    await press(STOP);
    await ask(client, '/', 20, 'y'.repeat(25_000));
    client.destroy();
    await press(INTERRUPT);
    t.equal(await ended, 0);
  },
);

for (const format of ['dev', 'json'])
  t.test(`pipes that nobody reads, of lines of ${format} and of what happens, stop nothing`, async (t) => {
    const args = [LAUNCHER, '-c', settings(t), '-v', '--access-log', format];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(() => child.kill('SIGKILL'));
    const said = new Output(child, 'stderr');
    const client = await connect(t, await said.has(/curl (http:\S+)/));
    child.stderr!.pause();
    // More than two pipes hold.
    await ask(client, `/${'x'.repeat(5000)}`, 100, 'y'.repeat(20_000));
    client.destroy();
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    t.equal(code, 0);
  });
