import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import type { RunOptions } from '../../lib/cli/args.js';
import { type RunContext, run } from '../../lib/cli/run.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { recordOf } from '../observe/record.js';
import { NO_OPTIONS } from './no-options.js';
import { FakeBalancer, MemoryStream } from './support.js';

const OPTIONS: RunOptions = { ...NO_OPTIONS, port: 0, servers: ['127.0.0.1:5001', '127.0.0.1:5002'] };

interface Stage {
  readonly stdout: MemoryStream;
  readonly stderr: MemoryStream;
  readonly signals: EventEmitter;
  readonly balancer: FakeBalancer;
  readonly context: RunContext;
}

function stage(isTty = true): Stage {
  const stdout = new MemoryStream(isTty);
  const stderr = new MemoryStream(isTty);
  // Names of folders are long here, and what is said stays on one line.
  stderr.columns = Number.POSITIVE_INFINITY;
  const signals = new EventEmitter();
  const balancer = new FakeBalancer();
  const appearance = { colour: false, env: {} };
  const context = {
    stdout: new Terminal(stdout, appearance),
    stderr: new Terminal(stderr, appearance),
    signals,
    version: '1.2.3',
    program: 'lb',
    env: {},
    createBalancer: balancer.create,
    atExit: () => {},
  };
  return { stdout, stderr, signals, balancer, context };
}

/** Runs until the banner is out, lets `act` do something, stops, and gives the exit code. */
async function session(options: RunOptions, s: Stage, act: () => void = () => {}): Promise<number> {
  const ended = run(options, s.context);
  await s.stderr.has(/stop /);
  act();
  s.signals.emit('SIGTERM');
  return ended;
}

t.test('the banner says what a person needs, within 80 columns', async (t) => {
  const s = stage();
  t.equal(await session({ ...OPTIONS, port: 8080 }, s), 0);
  t.match(s.stderr.text, 'lb 1.2.3');
  t.match(s.stderr.text, 'curl http://localhost:8080/');
  t.match(s.stderr.text, /servers +127\.0\.0\.1:5001\n +127\.0\.0\.1:5002\n/);
  t.match(s.stderr.text, /health +GET \/ every 5s/);
  for (const line of s.stderr.text.split('\n')) t.ok(line.length <= 80, line);
});

t.test('the command to try it asks for something that is served', async (t) => {
  const server = 'servers: [127.0.0.1:5001]';
  const files = t.testdir({
    hosts: `hosts: [{ host: ['*.mango.com', www.apple.com], ${server} }]`,
    paths: `hosts: [{ host: a.com, ${server} }]\npaths: [{ path: /img, ${server} }]`,
    regex: `paths: [{ path: '~ ^/x', ${server} }]`,
    everything: `hosts: [{ host: a.com, ${server} }]\n${server}`,
  });
  for (const [file, command] of [
    ['hosts', "curl -H 'Host: www.mango.com' http://localhost:8080/\n"],
    ['paths', 'curl http://localhost:8080/img\n'],
    ['regex', 'curl http://localhost:8080/\n'],
    ['everything', 'curl http://localhost:8080/\n'],
  ] as const) {
    const s = stage();
    t.equal(await session({ ...OPTIONS, port: 8080, servers: [], configFile: join(files, file) }, s), 0);
    t.match(s.stderr.text, `  try it     ${command}`);
  }
});

t.test('the banner tells the listeners apart, and tries one that serves', async (t) => {
  const files = t.testdir({
    both: 'listen: [{ address: 8080, redirect: https }, { address: 8443, tls: internal }]\nservers: [127.0.0.1:5001]',
    proxied: 'listen: [{ address: 8080, proxy_protocol: [10.0.0.0/8] }, 8081]\nservers: [127.0.0.1:5001]',
    only: 'listen: [{ address: 8080, proxy_protocol: [127.0.0.1] }]\nservers: [127.0.0.1:5001]',
  });
  for (const [file, lines] of [
    [
      'both',
      [
        / {2}https:\/\/localhost:8443\//,
        /curl --cacert \S+ https:\/\/localhost:8443\//,
        /also on http:\/\/localhost:8080\/ \(redirects to https\)\n/,
      ],
    ],
    ['proxied', [/curl http:\/\/localhost:8081\//, /also on http:\/\/localhost:8080\/ \(PROXY protocol\)\n/]],
    ['only', [/curl --haproxy-protocol http:\/\/localhost:8080\//]],
  ] as const) {
    const s = stage();
    t.equal(await session({ ...OPTIONS, port: null, servers: [], configFile: join(files, file) }, s), 0);
    for (const line of lines) t.match(s.stderr.text, line, file);
  }
});

t.test('without a server and a file there is a demo on loopback', async (t) => {
  t.testdir({});
  const here = process.cwd();
  process.chdir(t.testdirName);
  t.teardown(() => process.chdir(here));
  const s = stage();
  t.equal(await session({ ...OPTIONS, servers: [] }, s, () => {}), 0);
  t.match(s.stderr.text, /apple +127\.0\.0\.1:\d+\n +banana +127\.0\.0\.1:\d+\n +cherry +127\.0\.0\.1:\d+\n/);
  t.match(s.stderr.text, /your own +lb 8080 localhost:5001 localhost:5002/);
  t.match(s.balancer.config.listen, [{ address: { kind: 'tcp', host: '127.0.0.1' } }]);
  t.equal(s.balancer.config.healthCheck?.path, '/healthcheck');
});

t.test('-q leaves only problems', async (t) => {
  const s = stage();
  const ended = run({ ...OPTIONS, volume: 'quiet' }, s.context);
  await new Promise(setImmediate);
  s.balancer.observer.requestSettled?.(recordOf());
  t.equal(s.stdout.text + s.stderr.text, '');
  s.balancer.observer.event?.({ what: 'down', server: '127.0.0.1:5001', reason: 'refused' });
  t.match(s.stderr.text, 'is down: refused');
  const said = s.stderr.text;
  s.signals.emit('SIGINT');
  t.equal(await ended, 0);
  t.equal(s.stderr.text, said);
});

t.test('lines about servers', async (t) => {
  const s = stage();
  await session(OPTIONS, s, () => {
    s.balancer.observer.event?.({ what: 'down', server: '127.0.0.1:5001', reason: 'status 500' });
    s.balancer.observer.event?.({ what: 'down', server: '127.0.0.1:5002', reason: 'refused' });
    s.balancer.observer.event?.({ what: 'up', server: '127.0.0.1:5002', downMs: 65_000 });
    s.balancer.observer.event?.({ what: 'warning', message: 'look here' });
    s.balancer.observer.event?.({
      what: 'checked',
      server: 'x',
      ok: true,
      result: 'status 200',
      durationMs: 1,
    });
  });
  t.match(
    s.stderr.text,
    /\d\d:\d\d:\d\d {2}127\.0\.0\.1:5001 is down: status 500 for GET \/, another path: --health-path \(1 of 2 left\)\n/,
  );
  t.match(s.stderr.text, /5002 is down: refused \(0 of 2 left\)\n/);
  t.match(s.stderr.text, /5002 is back after 1 min 5 s \(1 of 2 left\)\n/);
  t.match(s.stderr.text, /warning: look here\n/);
  t.notMatch(s.stderr.text, /check x/, 'checks only with -v');
});

t.test('the log and the webhook use the settings in force', async (t) => {
  const file = join(t.testdir({}), 'log');
  const s = stage();
  await session(OPTIONS, s, () => {
    s.balancer.config = createConfig({ access_log: { file, fields: ['status'] } });
    s.balancer.observer.event?.({ what: 'reload_refused', detail: 'not this one' });
    s.balancer.observer.requestSettled?.(recordOf({ status: 201 }));
    s.balancer.observer.event?.({ what: 'reloaded', detail: '' });
    s.balancer.observer.requestSettled?.(recordOf({ status: 202 }));
    s.balancer.config = createConfig({ access_log: { file: join(file, 'below-a-file') } });
    s.balancer.observer.event?.({ what: 'reloaded', detail: '' });
    s.balancer.observer.requestSettled?.(recordOf({ status: 203 }));
  });
  t.match(s.stdout.text, / 201 /);
  t.notMatch(s.stdout.text, / 20[23] /);
  t.equal(readFileSync(file, 'utf8'), '{"status":202}\n{"status":203}\n');
  t.match(s.stderr.text, /warning: access log: ENOTDIR.*; it goes on as before\n/);
});

t.test('state_file: the next process has the changes of the previous one', async (t) => {
  const folder = t.testdir({});
  const kept = join(folder, 'state.json');
  const config = join(folder, 'lb.yaml');
  const text = (file: string): string =>
    `listen: 127.0.0.1:0\nhealth_check: false\nstate_file: ${file}\nservers: [{ address: localhost:5001, name: a }, localhost:5002]\n`;
  writeFileSync(config, text(kept));
  const options = { ...OPTIONS, port: null, servers: [], configFile: config };
  const running = async (act: (balancer: Balancer) => void): Promise<string> => {
    const s = stage();
    let balancer!: Balancer;
    const context: RunContext = {
      ...s.context,
      createBalancer: (...parts) => {
        balancer = createBalancer(...parts);
        return balancer;
      },
    };
    t.equal(await session(options, { ...s, context }, () => act(balancer)), 0);
    return s.stderr.text;
  };
  await running((balancer) => {
    t.same(balancer.status().config.drift, []);
    balancer.setWeight('a', 4);
    balancer.setAvailability('a', 'draining');
    balancer.addServer('default', { address: 'localhost:5003' });
  });
  await running((balancer) => {
    t.same(balancer.status().config.drift, [
      'weight of a: 4 (file: 1)',
      'availability of a: draining (file: ready)',
      'servers of default: localhost:5003 with weight 1 (file: not there)',
    ]);
    balancer.removeServer('localhost:5003');
    const drained = balancer.events().filter(({ what }) => what === 'drained');
    t.match(drained, [{ server: 'localhost:5003' }], 'a has had no request here that could end');
    t.equal(drained.length, 1);
    balancer.setAvailability('a', 'ready');
  });
  t.match(
    await running((balancer) => t.same(balancer.status().config.drift, ['weight of a: 4 (file: 1)'])),
    / changed +1 change kept in .*state\.json; lb status lists them\n/,
  );
  t.same(readdirSync(folder).sort(), ['lb.yaml', 'state.json'], 'nothing is left beside it');

  writeFileSync(config, text(kept).replace('name: a', 'name: a, weight: 2'));
  const edit = /the weight of a is 2: the file has been edited since it was set to 4\n/;
  t.match(await running((balancer) => t.same(balancer.status().config.drift, [])), edit);
  t.notMatch(
    await running((balancer) => t.same(balancer.status().config.drift, [])),
    edit,
    'it is told once',
  );

  writeFileSync(kept, '{"version":1,');
  const said = await running((balancer) => t.same(balancer.status().config.drift, []));
  t.match(said, /state_file: not valid JSON: .*; it is .*state\.json\.bad now/);
  t.equal(readFileSync(`${kept}.bad`, 'utf8'), '{"version":1,');

  writeFileSync(config, text(join(folder, 'nowhere', 'state.json')));
  const s = stage();
  t.equal(await run(options, s.context), 1);
  t.match(s.stderr.text, /^lb: cannot write .*nowhere.*: there is no such file or directory\.\n$/);
});

t.test('-v shows checks and heads', async (t) => {
  const s = stage();
  await session({ ...OPTIONS, volume: 'verbose' }, s, () => {
    s.balancer.observer.event?.({
      what: 'checked',
      server: 'x',
      ok: false,
      result: 'timed out',
      durationMs: 2000,
    });
    s.balancer.observer.requestSettled?.(
      recordOf({
        requestHeadText: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
        serverHeadText: 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n',
        responseHeadText: 'HTTP/1.1 200 OK\r\n\r\n',
      }),
    );
  });
  t.match(s.stderr.text, /check x: timed out in 2000\.0 ms\n/);
  t.match(
    s.stderr.text,
    [
      '\n> GET / HTTP/1.1\n> Host: a\n>\n',
      '>> GET / HTTP/1.1\n>> Host: a\n>> X-Forwarded-For: 192.0.2.1\n>>\n',
      '< HTTP/1.1 200 OK\n<\n',
    ].join(''),
  );
});

t.test('the access log', async (t) => {
  t.test('is dev on a terminal unless something else is asked for', async (t) => {
    const s = stage();
    await session(OPTIONS, s, () => s.balancer.observer.requestSettled?.(recordOf()));
    t.match(s.stdout.text, /^\d\d:\d\d:\d\d {2}GET {5}\/users\?id=3 .* 200 {2}mango-1 .* ms\n$/);

    const asked = stage();
    await session({ ...OPTIONS, accessLog: 'json' }, asked, () =>
      asked.balancer.observer.requestSettled?.(recordOf()),
    );
    t.equal(JSON.parse(asked.stdout.text).status, 200);

    const off = stage();
    await session({ ...OPTIONS, accessLog: 'off' }, off, () =>
      off.balancer.observer.requestSettled?.(recordOf()),
    );
    t.equal(off.stdout.text, '');
  });

  t.test('of the configuration file wins over the default, the command line over the file', async (t) => {
    const configFile = writeConfig(t, 'servers: [a:1]\naccess_log: combined\n');
    const s = stage();
    await session({ ...OPTIONS, servers: [], configFile }, s);
    t.equal(s.balancer.config.accessLog.format, 'combined');
    const asked = stage();
    await session({ ...OPTIONS, servers: [], configFile, accessLog: 'json' }, asked);
    t.equal(asked.balancer.config.accessLog.format, 'json');
  });
});

t.test('the command line is laid over the file', async (t) => {
  const configFile = writeConfig(
    t,
    'listen: 127.0.0.1:7000\nservers: [a:1]\nhealth_check: { path: /up, rise: 5 }\n',
  );
  const s = stage();
  await session({ ...OPTIONS, servers: [], configFile }, s);
  t.match(
    s.balancer.config.listen.map(({ address }) => address),
    [{ host: '127.0.0.1', port: 0 }],
    'the port, on the interface of the file',
  );
  t.match(s.balancer.config.servers, [{ name: 'a:1' }]);
  t.match(s.balancer.config.healthCheck, { path: '/up', rise: 5 });

  const more = stage();
  await session({ ...OPTIONS, port: null, servers: ['b:2'], configFile, healthInterval: '1s' }, more);
  t.match(more.balancer.config.listen, [{ address: { host: '127.0.0.1', port: 7000 } }]);
  t.match(more.balancer.config.servers, [{ name: 'b:2' }]);
  t.match(more.balancer.config.healthCheck, { path: '/up', rise: 5, interval: 1000 });
});

t.test('a bad configuration is shown with its place, exit 1', async (t) => {
  const s = stage();
  const configFile = writeConfig(t, 'servers: [a:1]\nacess_log: json\n');
  t.equal(await run({ ...OPTIONS, servers: [], configFile }, s.context), 1);
  t.match(s.stderr.text, 'lb.yaml:2:1');
  t.match(s.stderr.text, 'access_log');
  t.match(s.stderr.text, '^^^');
});

t.test('a setting that works but is probably not meant is a warning', async (t) => {
  const s = stage();
  const configFile = writeConfig(t, 'servers: [a:1]\ntrusted_proxies: [0.0.0.0/0]\n');
  t.equal(await session({ ...OPTIONS, servers: [], configFile }, s), 0);
  t.match(s.stderr.text, /^warning: .*lb\.yaml:2:19 /);
});

t.test('a file with nothing to balance, redirect or answer is a problem, exit 1', async (t) => {
  for (const text of [
    '',
    '# servers: [a:1]\n',
    'listen: 8080\n',
    'hosts: []\n',
    'listen: 8080\n---\n',
    '~',
  ]) {
    const s = stage();
    const configFile = writeConfig(t, text);
    t.equal(await run({ ...OPTIONS, servers: [], configFile }, s.context), 1, text);
    t.match(s.stderr.text, /lb\.yaml:\d+:\d+ {2}/, text);
    const named = stage();
    if (!text.includes('---'))
      t.equal(await session({ ...OPTIONS, configFile }, named), 0, 'but with servers');
  }
});

t.test('a file that answers everything by itself is shown as such', async (t) => {
  const s = stage();
  const configFile = writeConfig(t, 'respond: { status: 204 }\n');
  t.equal(await session({ ...OPTIONS, servers: [], configFile }, s), 0);
  t.match(s.stderr.text, /routes +everything {2}respond 204\n/);
});

t.test('a port in use is one line, exit 1', async (t) => {
  const s = stage();
  s.balancer.starting = async () => {
    throw Object.assign(new Error('listen EADDRINUSE'), {
      code: 'EADDRINUSE',
      syscall: 'listen',
      port: 8080,
    });
  };
  t.equal(await run(OPTIONS, s.context), 1);
  t.match(s.stderr.text, /^lb: port 8080 is in use\.[^\n]*\n$/);
});

t.test('an error that is no error of the system is not explained away', async (t) => {
  const s = stage();
  s.balancer.starting = async () => {
    throw new TypeError('a bug');
  };
  await t.rejects(run(OPTIONS, s.context), { message: 'a bug' });
});

t.test('stopping', async (t) => {
  t.test('waits for what is in flight and says so', async (t) => {
    const s = stage();
    let finish = (_clean: boolean): void => {};
    s.balancer.draining = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const ended = run(OPTIONS, s.context);
    await s.stderr.has(/stop /);
    s.signals.emit('SIGINT');
    await s.stderr.has(/stopping: up to 30s for requests in flight, Ctrl-C again cuts them\n/);
    t.equal(s.balancer.stopped, false);
    finish(true);
    t.equal(await ended, 0);
    t.match(s.stderr.text, /stopped after \d+ m?s, no request came\n$/);
  });

  t.test('is not clean when something had to be cut', async (t) => {
    const s = stage();
    s.balancer.draining = async () => false;
    t.equal(await session(OPTIONS, s), 1);
    t.match(s.stderr.text, /stopped after \d+ m?s, requests in flight were cut\n$/);
  });

  t.test('happens when a terminal closes, unless there is a file that SIGHUP reads again', async (t) => {
    const s = stage();
    const ended = run(OPTIONS, s.context);
    await s.stderr.has(/stop /);
    s.signals.emit('SIGHUP');
    t.equal(await ended, 0);
    t.same(s.signals.eventNames(), []);
    for (const [isTty, options] of [
      [false, OPTIONS],
      [
        true,
        {
          ...OPTIONS,
          port: null,
          servers: [],
          configFile: writeConfig(t, 'listen: 0\nservers: [localhost:5001]\n'),
        },
      ],
    ] as const) {
      const other = stage(isTty);
      await session(options, other, () => {
        other.signals.emit('SIGHUP');
        t.equal(other.balancer.stopped, false);
      });
    }
  });

  t.test('happens at once at the second signal', async (t) => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const s = stage();
      s.balancer.draining = () => new Promise(() => {});
      const ended = run(OPTIONS, s.context);
      await s.stderr.has(/stop /);
      s.signals.emit('SIGTERM');
      await s.stderr.has(/stopping/);
      s.signals.emit(signal);
      t.equal(await ended, code);
      t.equal(s.balancer.stopped, true);
    }
  });

  t.test('waits for the start, and at the second signal does not', async (t) => {
    const s = stage();
    let start = (): void => {};
    s.balancer.starting = () =>
      new Promise((resolve) => {
        start = resolve;
      });
    const ended = run(OPTIONS, s.context);
    await new Promise(setImmediate);
    s.signals.emit('SIGTERM');
    start();
    t.equal(await ended, 0);
    t.match(s.stderr.text, /, no request came\n$/);

    const hung = stage();
    hung.balancer.starting = () => new Promise(() => {});
    const cut = run(OPTIONS, hung.context);
    await new Promise(setImmediate);
    hung.signals.emit('SIGTERM');
    hung.signals.emit('SIGINT');
    t.equal(await cut, 130);
    t.equal(hung.balancer.stopped, true);
  });

  t.test('begins when timeouts.drain_delay is over, or at the second signal', async (t) => {
    const cwd = t.testdir({ 'lb.yaml': 'servers: [localhost:1]\ntimeouts: { drain_delay: 10s }\n' });
    const options = { ...OPTIONS, servers: [], configFile: `${cwd}/lb.yaml` };
    for (const hurries of [false, true]) {
      const s = stage();
      let isOver = (): void => {};
      s.balancer.leaving = () =>
        new Promise((resolve) => {
          isOver = resolve;
        });
      s.balancer.draining = () => new Promise(() => {});
      const ended = run(options, s.context);
      await s.stderr.has(/stop /);
      s.signals.emit('SIGTERM');
      await s.stderr.has(/not ready: requests are served for another 10s, SIGTERM again skips that\n/);
      t.notMatch(s.stderr.text, /stopping:/);
      if (hurries) s.signals.emit('SIGTERM');
      else isOver();
      await s.stderr.has(/stopping: up to 30s for requests in flight, SIGTERM again cuts them\n/);
      s.signals.emit('SIGTERM');
      t.equal(await ended, 143);
    }
  });

  t.test('a reload that was asked for before the start comes after it', async (t) => {
    const s = stage();
    const starts: (() => void)[] = [];
    s.balancer.starting = () => new Promise((resolve) => starts.push(resolve));
    const configFile = writeConfig(t, 'listen: 0\nservers: [localhost:5001]\n');
    const ended = run({ ...OPTIONS, port: null, servers: [], configFile }, s.context);
    await new Promise(setImmediate);
    s.signals.emit('SIGHUP');
    await new Promise(setImmediate);
    t.equal(starts.length, 1, 'no reload before it is up');
    starts[0]?.();
    await s.stderr.has(/stop /);
    await new Promise(setImmediate);
    t.equal(starts.length, 2, 'the reload');
    starts[1]?.();
    await s.stderr.has(/reloaded /);
    s.signals.emit('SIGTERM');
    t.equal(await ended, 0);
  });

  t.test('no listener is left', async (t) => {
    const s = stage();
    await session(OPTIONS, s);
    t.same(s.signals.eventNames(), []);
  });
});

function writeConfig(t: Test, text: string): string {
  return `${t.testdir({ 'lb.yaml': text })}/lb.yaml`;
}

t.test('a reload that fails by a bug is reported, counted, and changes nothing', async (t) => {
  const s = stage();
  const reloads: (readonly [ok: boolean, detail: string])[] = [];
  const create = s.context.createBalancer;
  const context: RunContext = {
    ...s.context,
    createBalancer: (config, observer, options) => {
      const balancer = create(config, observer, options);
      const { observer: told } = s.balancer;
      s.balancer.observer = {
        ...told,
        event: (event) => {
          if (event.what === 'reloaded' || event.what === 'reload_refused')
            reloads.push([event.what === 'reloaded', event.detail]);
        },
      };
      return balancer;
    },
  };
  const options = {
    ...OPTIONS,
    servers: [],
    configFile: writeConfig(t, 'listen: 0\nservers: [localhost:5001]\n'),
  };
  const ended = run(options, context);
  await s.stderr.has(/stop /);
  const before = s.balancer.config;
  s.balancer.reload = () => Promise.reject(new RangeError('Maximum call stack size exceeded'));
  for (let attempts = 1; attempts <= 2; attempts++) {
    s.signals.emit('SIGHUP');
    await s.stderr.has(new RegExp(`(?:stay in force[^]*){${attempts}}`));
  }
  t.match(
    s.stderr.text,
    /internal error, please report it: RangeError: Maximum call stack size exceeded\n +at /,
  );
  t.match(s.stderr.text, /lb\.yaml was not loaded: the previous settings stay in force/);
  const detail = 'internal error, please report it: RangeError: Maximum call stack size exceeded';
  t.same(reloads, [
    [false, detail],
    [false, detail],
  ]);
  t.equal(s.balancer.config, before);
  s.signals.emit('SIGTERM');
  t.equal(await ended, 0);
});

t.test('a named pipe or a device as settings or state file is refused without waiting', async (t) => {
  const settings = (state: string): string => `listen: 0\nservers: [localhost:1]\nstate_file: ${state}\n`;
  const cwd = t.testdir();
  writeFileSync(join(cwd, 'pipe.yaml'), settings(join(cwd, 'pipe')));
  writeFileSync(join(cwd, 'beside.yaml'), settings(join(cwd, 'state')));
  execFileSync('mkfifo', [join(cwd, 'pipe'), join(cwd, 'state.new')]);
  const told = async (configFile: string): Promise<string> => {
    const s = stage();
    t.equal(await run({ ...OPTIONS, servers: [], configFile }, s.context), 1);
    return s.stderr.text;
  };
  for (const [file, what] of [
    [join(cwd, 'pipe'), 'a named pipe'],
    ['/dev/zero', 'a device'],
    [cwd, 'a directory'],
  ] as const)
    t.equal(await told(file), `lb: cannot read ${file}: it is ${what}, not a regular file.\n`);
  t.match(
    await told(join(cwd, 'pipe.yaml')),
    /^lb: cannot write .*pipe: it is a named pipe, not a regular file\.\n$/,
  );
  t.match(
    await told(join(cwd, 'beside.yaml')),
    /^lb: cannot write .*state: it is a named pipe or a device that nothing listens to\.\n$/,
  );
});
