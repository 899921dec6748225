import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ServiceManager } from '../../lib/cli/service-manager.js';
import { unlessInstalled } from '../support/daemon.js';
import { until } from '../support/loop-ticks.js';
import { ended, ReplacedProgram } from '../support/replaced-program.js';
import { start } from './program.js';

// Programs are started, which takes long while much else runs.
t.setTimeout(0);

/** Prints each message to the socket that it is given, as systemd reads them; descriptors that come with them are closed. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("ready", flush=True)
while True:
    print(receiver.recv(65536).decode().strip().replace("\\n", " "), flush=True)
`;

class Receiver {
  readonly path: string;
  readonly told: string[] = [];
  readonly #child: ChildProcess;

  private constructor(t: Test) {
    const directory = mkdtempSync(join(tmpdir(), 'lb-'));
    this.path = join(directory, 'notify');
    this.#child = spawn('/usr/bin/python3', ['-c', RECEIVER, this.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (piece: string) => {
      const lines = (text + piece).split('\n');
      text = lines.pop() ?? '';
      // systemd-notify asks whether its message was read, by a descriptor.
      this.told.push(...lines.filter((line) => line !== 'BARRIER=1'));
    });
    t.teardown(() => {
      this.#child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    });
  }

  static async start(t: Test): Promise<Receiver> {
    const receiver = new Receiver(t);
    await receiver.until(/^ready$/);
    receiver.told.length = 0;
    return receiver;
  }

  async until(pattern: RegExp): Promise<string> {
    await until(() => this.told.some((line) => pattern.test(line)), `systemd is told ${pattern}`);
    return this.told.find((line) => pattern.test(line)) ?? '';
  }
}

const skip = unlessInstalled('systemd-notify') || unlessInstalled('/usr/bin/python3');

t.test('messages go out one after the other, and the variables are removed', async (t) => {
  const sent: string[] = [];
  let release: (fault: string | null) => void = () => {};
  const send = (words: readonly string[]): Promise<string | null> => {
    sent.push(words.join(' '));
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  const warnings: string[] = [];
  const env: NodeJS.ProcessEnv = {
    NOTIFY_SOCKET: '/run/n',
    WATCHDOG_USEC: '2000000',
    WATCHDOG_PID: '7',
    A: 'b',
  };
  const manager = ServiceManager.find(env, 8, (message) => warnings.push(message), send)!;
  t.same(env, { A: 'b' });
  t.equal(
    ServiceManager.find(env, 8, () => {}, send),
    null,
  );
  const ready = manager.ready('serving');
  manager.reloading();
  manager.reloaded();
  await until(() => sent.length === 1);
  t.same(sent, [`MAINPID=${process.pid} READY=1 STATUS=serving`]);
  release('no');
  t.equal(await ready, false);
  await until(() => sent.length === 2);
  t.match(sent[1], /^RELOADING=1 MONOTONIC_USEC=\d+$/);
  release('no');
  await until(() => sent.length === 3);
  release(null);
  await manager.close();
  t.equal(sent[2], 'READY=1');
  t.same(warnings, ['systemd cannot be told what this service does: no'], 'once');
});

t.test('signs of life come twice in an interval, unless something hangs', async (t) => {
  const sent: string[] = [];
  const send = async (words: readonly string[]): Promise<null> => {
    sent.push(words.join(' '));
    return null;
  };
  const env = (more: object): NodeJS.ProcessEnv => ({
    NOTIFY_SOCKET: '/n',
    WATCHDOG_USEC: '1000000',
    ...more,
  });
  const find = (more: object, pid: number | null) => ServiceManager.find(env(more), pid, () => {}, send)!;
  const other = find({ WATCHDOG_PID: '7' }, 8);
  const hanging = find({}, 8);
  const taking = find({ WATCHDOG_PID: '7' }, null);
  other.watch(async () => {});
  let asked = 0;
  hanging.watch(() => {
    asked++;
    return new Promise(() => {});
  });
  await until(() => asked === 2);
  t.same(sent, [], 'another process is watched, and one that hangs gives none');
  taking.watch(async () => {});
  await until(() => sent.length === 2);
  t.same(sent, ['WATCHDOG=1', 'WATCHDOG=1']);
  for (const manager of [other, hanging, taking]) await manager.close();
});

t.test('systemd gets messages about start, reload, life, upgrade and end', { skip }, async (t) => {
  const receiver = await Receiver.start(t);
  const running = await ReplacedProgram.start(
    t,
    { listen: '127.0.0.1:0', health_check: false, servers: ['127.0.0.1:9'] },
    { env: { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: '2000000' } },
  );
  const first = running.pid;
  t.match(
    await receiver.until(/READY=1/),
    new RegExp(`^MAINPID=${first} READY=1 STATUS=serving on 127\\.0\\.0\\.1:\\d+$`),
  );
  await receiver.until(/^WATCHDOG=1$/);
  running.program.child.kill('SIGHUP');
  await receiver.until(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
  await receiver.until(/^READY=1$/);

  receiver.told.length = 0;
  const { pid = 0 } = await running.upgrade();
  t.ok(
    receiver.told.some((line) => line.startsWith(`MAINPID=${pid} READY=1`)),
    'before the old process ends, which would be the end of the service',
  );
  await ended(first);
  receiver.told.length = 0;
  await receiver.until(/^WATCHDOG=1$/);
  t.notOk(
    receiver.told.some((line) => line.includes('STOPPING')),
    'the service does not stop with the old process',
  );
  await running.stop();
  await receiver.until(/^STOPPING=1 STATUS=/);
});

t.test('a new program that cannot be announced to systemd does not take over', { skip }, async (t) => {
  const receiver = await Receiver.start(t);
  const running = await ReplacedProgram.start(
    t,
    { listen: '127.0.0.1:0', health_check: false, servers: ['127.0.0.1:9'] },
    { env: { NOTIFY_SOCKET: receiver.path } },
  );
  await receiver.until(/READY=1/);
  rmSync(receiver.path);
  t.match(await running.upgrade(), { status: 422, error: { details: /systemd could not be told/ } });
  await running.stop();
});

t.test('without systemd-notify the service runs, with one warning', async (t) => {
  const directory = t.testdir();
  writeFileSync(
    join(directory, 'lb.yaml'),
    JSON.stringify({ listen: '127.0.0.1:0', servers: ['127.0.0.1:9'] }),
  );
  const program = start(t, ['-c', 'lb.yaml', '--no-color'], {
    cwd: directory,
    env: { NOTIFY_SOCKET: join(directory, 'nobody') },
  });
  await program.onStderr(/warning: systemd cannot be told what this service does: /);
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
  t.equal(program.stderr.split('systemd cannot be told').length, 2);
});
