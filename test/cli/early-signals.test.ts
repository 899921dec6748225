import t, { type Test } from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { get, start, url } from './program.js';
import type { Program } from './support.js';

/** The program is sent these signals by itself in its first line, as soon as it listens for the last of them. */
function interrupted(t: Test, signals: readonly NodeJS.Signals[], args: readonly string[]): Program {
  const send = `const { on } = process;
process.on = (name, listener) => {
  on.call(process, name, listener);
  if (name !== 'SIGUSR2') return process;
  process.on = on;
  for (const signal of ${JSON.stringify(signals)}) process.kill(process.pid, signal);
  return process;
};`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(send)}` };
  return start(t, args, { env });
}

/** With a settings file of its own. */
async function site(t: Test): Promise<{ args: string[]; stop: () => Promise<void> }> {
  const server = await startFixtureServer({ name: 'any' });
  const directory = t.testdir({
    'lb.yaml': `listen: 127.0.0.1:0\nservers: [${server.address}]\nhealth_check: false\n`,
  });
  return { args: ['-c', `${directory}/lb.yaml`], stop: () => server.close() };
}

t.test('SIGTERM and SIGINT before the program has loaded end it in good order once it is up', async (t) => {
  const { args, stop } = await site(t);
  t.teardown(stop);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const program = interrupted(t, [signal], args);
    t.equal(await program.end(), 0);
    t.match(program.stderr, /stopped after .*, no request came\n$/);
  }
});

t.test('SIGHUP before the program has loaded reloads once it is up', async (t) => {
  const { args, stop } = await site(t);
  t.teardown(stop);
  const program = interrupted(t, ['SIGHUP'], args);
  const target = await url(program);
  await program.onStderr(/reloaded .*lb\.yaml/);
  t.match(await get(target), { status: 200 });
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
});

t.test('SIGUSR1 and SIGUSR2 before the program has loaded open no debugger and end nothing', async (t) => {
  const { args, stop } = await site(t);
  t.teardown(stop);
  const program = interrupted(t, ['SIGUSR1', 'SIGUSR2'], args);
  t.match(await get(await url(program)), { status: 200 });
  program.child.kill('SIGTERM');
  t.equal(await program.end(), 0);
  t.notMatch(program.stderr, /Debugger listening/);
});

t.test(
  'a debugger that Node has opened before the first line is closed, one that was asked for is not',
  async (t) => {
    const { args, stop } = await site(t);
    t.teardown(stop);
    const open = `import { open } from 'node:inspector'; open(0);`;
    const early = `--import=data:text/javascript,${encodeURIComponent(open)}`;
    for (const [options, isOpen] of [
      [early, false],
      ['--inspect=127.0.0.1:0', true],
    ] as const) {
      const program = start(t, args, { env: { NODE_OPTIONS: options } });
      const target = await program.onStderr(/Debugger listening on ws:(\S+)/);
      await url(program);
      const asked = fetch(new URL('/json/version', `http:${target}`)).then((response) => response.status);
      if (isOpen) t.equal(await asked, 200);
      else await t.rejects(asked);
      program.child.kill('SIGTERM');
      t.equal(await program.end(), 0);
    }
  },
);

t.test('all signals before the program has loaded are kept, each for its own purpose', async (t) => {
  const { args, stop } = await site(t);
  t.teardown(stop);
  const program = interrupted(t, ['SIGUSR1', 'SIGHUP', 'SIGHUP', 'SIGUSR2', 'SIGTERM'], args);
  t.equal(await program.end(), 0);
  t.match(program.stderr, /, no request came\n$/);
});

t.test('a second signal to stop before the program has loaded ends it at once', async (t) => {
  const { args, stop } = await site(t);
  t.teardown(stop);
  for (const [signals, code] of [
    [['SIGTERM', 'SIGTERM'], 143],
    [['SIGTERM', 'SIGINT'], 130],
  ] as const) {
    const program = interrupted(t, signals, args);
    t.equal(await program.end(), code);
    t.equal(program.stdout + program.stderr, '');
  }
});

t.test(
  'a command that serves nobody ends at a signal, but not at one that only a balancer knows',
  async (t) => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
      ['SIGUSR1', 0],
      ['SIGUSR2', 0],
    ] as const) {
      const program = interrupted(t, [signal], ['--version']);
      t.equal(await program.end(), code, signal);
      t.notMatch(program.stderr, /Debugger listening/);
    }
  },
);
