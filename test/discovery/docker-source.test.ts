import { createServer as createSecureServer } from 'node:https';
import t, { type Test } from 'tap';
import { DockerEngine, eventText, type FakeContainer } from '../../fixtures/docker-engine.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { ContainerChoice, DockerSourceConfig } from '../../lib/config/types.js';
import type { DiscoveredServer } from '../../lib/discovery/contract.js';
import { DockerEngines, endpointOf } from '../../lib/discovery/docker-engines.js';
import { DockerSource } from '../../lib/discovery/docker-source.js';
import { TestAuthority } from '../support/certificates.js';
import { turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

const API: ContainerChoice = { kind: 'labels', labels: [{ name: 'app', value: 'api' }] };
const LABELS = { app: 'api' };

async function engineOf(t: Test, ...containers: readonly FakeContainer[]): Promise<DockerEngine> {
  const engine = await DockerEngine.start();
  t.teardown(() => engine.close());
  engine.set(...containers);
  return engine;
}

/** A source over an engine, and what it tells, a line each. Time stands still. */
function follow(
  t: Test,
  engine: DockerEngine,
  more: Partial<DockerSourceConfig> = {},
  self: string | null = null,
) {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const engines = new DockerEngines({ wheel, env: {}, self });
  const config: DockerSourceConfig = {
    kind: 'docker',
    engine: { socket: engine.socket, tls: null },
    choice: API,
    port: null,
    network: null,
    ...more,
  };
  const source = new DockerSource(config, { engines });
  t.teardown(() => {
    source.stop();
    wheel.close();
  });
  const said: string[] = [];
  const listener = {
    onServers(servers: readonly DiscoveredServer[], _validMs: number, trouble = '', isCertain = false): void {
      const list = servers.map(
        ({ name, address, weight }) => `${name} ${address}${weight === null ? '' : ` *${weight}`}`,
      );
      said.push(`${list.join(', ')}${trouble === '' ? '' : ` (${trouble})`}${isCertain ? '' : ' ?'}`);
    },
    onFailed: (reason: string) => void said.push(`failed: ${reason}`),
  };
  const ask = (): void => source.ask(listener);
  const last = (): string => said.at(-1) ?? '';
  const tells = (expected: string): Promise<void> => until(() => last() === expected);
  /** Resolves when nothing is on its way any more: a clock that leaps would take it for lost. */
  const settled = async (): Promise<void> => {
    let before: number;
    do {
      before = said.length + engine.requests.length;
      await turns(100);
    } while (said.length + engine.requests.length !== before);
  };
  return { clock, source, said, ask, last, tells, settled, engines, config };
}

function api(id: string, address: string, more: Partial<FakeContainer> = {}): FakeContainer {
  return { id, name: `api-${id}`, labels: LABELS, networks: { web: address }, ...more };
}

t.test(
  'the stream is opened before the list is asked for, from the time of the engine on, by GET alone',
  async (t) => {
    const engine = await engineOf(t, api('a1', '10.0.0.1'));
    const { ask, tells } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80 ?');
    const [ping, events, list] = engine.requests.map((request) => decodeURIComponent(request));
    t.equal(ping, 'GET /_ping');
    t.match(
      events,
      /^GET \/events\?filters=\{"type":\["container","network"\],"event":\["create",.*\}&since=1800000000$/,
    );
    t.equal(list, 'GET /containers/json?all=true');
    t.equal(engine.requests.length, 3);
  },
);

t.test('what happens while the list is on its way is not missed', async (t) => {
  const engine = await engineOf(t, api('a1', '10.0.0.1'));
  const { ask, tells, said } = follow(t, engine);
  const answers: (() => void)[] = [];
  engine.onList = (answer) => void answers.push(answer);
  ask();
  await until(() => answers.length === 1);
  answers[0]?.();
  engine.set(api('a1', '10.0.0.1'), api('b2', '10.0.0.2'));
  engine.emit('start', 'b2');
  await until(() => answers.length === 2);
  engine.set(api('b2', '10.0.0.2'));
  engine.emit('destroy', 'a1');
  engine.emit('rename', 'b2');
  answers[1]?.();
  await until(() => answers.length === 3);
  answers[2]?.();
  await tells('api-b2 10.0.0.2:80');
  t.equal(said[0], 'api-a1 10.0.0.1:80 ?');
  t.equal(answers.length, 3, 'events that come together cause one list');
});

t.test(
  'a container that is told to stop is left out from that event on, until it starts again',
  async (t) => {
    const both = [api('a1', '10.0.0.1'), api('b2', '10.0.0.2')];
    const engine = await engineOf(t, ...both);
    const { ask, tells } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
    engine.onList = () => {};
    engine.emit('kill', 'a1', { signal: '15' });
    await tells('api-b2 10.0.0.2:80');
    engine.emit('die', 'b2');
    await tells('');
    engine.emit('start', 'a1');
    await tells('api-a1 10.0.0.1:80');
    engine.emit('kill', 'a1', { signal: '9' });
    await tells('');
  },
);

t.test('other signals stop a container if its image says so', async (t) => {
  const engine = await engineOf(
    t,
    api('a1', '10.0.0.1', { stopSignal: 'SIGQUIT' }),
    api('b2', '10.0.0.2', { stopSignal: 'SIGRTMIN+3' }),
    api('c3', '10.0.0.3'),
  );
  const { ask, tells, said } = follow(t, engine);
  ask();
  await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80, api-c3 10.0.0.3:80 ?');
  // To read its files again, to write a dump.
  for (const signal of ['1', '3', '12']) engine.emit('kill', 'c3', { signal });
  engine.emit('kill', 'b2', { signal: '3' });
  engine.emit('kill', 'b2', { signal: '37' });
  await tells('api-a1 10.0.0.1:80, api-c3 10.0.0.3:80');
  engine.emit('kill', 'a1', { signal: '3' });
  await tells('api-c3 10.0.0.3:80');
  t.notOk(said.some((line) => !line.includes('api-c3')));
});

for (const [name, events, after, expected] of [
  [
    'has been started again',
    ['die', 'start'],
    { startedAt: new Date(1_800_000_200_000).toISOString() },
    'api-a1 10.0.0.1:80, api-b2 10.0.0.2:80',
  ],
  ['has ended', ['die'], { state: 'exited' }, 'api-b2 10.0.0.2:80'],
] as const)
  t.test(`a signal that is understood when the container ${name} changes nothing`, async (t) => {
    const stopSignal = 'SIGQUIT';
    const other = api('b2', '10.0.0.2');
    const engine = await engineOf(t, api('a1', '10.0.0.1', { stopSignal }), other);
    const { ask, tells, settled, last, clock } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
    let answer: (() => void) | null = null;
    engine.onInspect = (then) => {
      answer = then;
    };
    engine.emit('kill', 'a1', { signal: '3' });
    await until(() => answer !== null);
    engine.set(api('a1', '10.0.0.1', { stopSignal, ...after }), other);
    for (const action of events) engine.emit(action, 'a1', {}, 1_800_000_150);
    await settled();
    (answer as (() => void) | null)?.();
    await settled();
    t.equal(last(), expected);
    const inspections = (): number => engine.requests.filter((line) => /a1/.test(line)).length;
    t.equal(inspections(), 1);
    clock.advance(600);
    await settled();
    clock.advance(61_000);
    engine.emit('rename', 'b2');
    await settled();
    t.equal(inspections(), 1, 'and it is not asked about each minute');
    t.equal(last(), expected);
  });

t.test(
  'a container that runs on after a signal gets requests again, after the time that it has to stop',
  async (t) => {
    const survivor = api('a1', '10.0.0.1');
    const engine = await engineOf(
      t,
      survivor,
      api('b2', '10.0.0.2', { stopTimeout: 100 }),
      api('c3', '10.0.0.3'),
    );
    const { ask, tells, clock, said, settled } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80, api-c3 10.0.0.3:80 ?');
    for (const id of ['a1', 'b2', 'c3']) engine.emit('kill', id, { signal: '15' });
    await tells('');
    engine.set(
      survivor,
      api('b2', '10.0.0.2', { stopTimeout: 100 }),
      api('c3', '10.0.0.3', { state: 'exited' }),
    );
    engine.emit('die', 'c3');
    // What changes otherwise is no sign that it will not stop.
    for (const action of ['pause', 'unpause', 'rename', 'connect', 'health_status: healthy'])
      engine.emit(action, 'a1');
    await settled();
    clock.advance(600);
    await settled();
    clock.advance(58_000);
    clock.advance(500);
    t.equal(said.at(-1), '');
    clock.advance(1500);
    await tells('api-a1 10.0.0.1:80');
    await settled();
    clock.advance(61_000);
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80');
    // Told a second time, it ends.
    engine.emit('kill', 'a1', { signal: '15' });
    await tells('api-b2 10.0.0.2:80');
    engine.set({ ...survivor, state: 'exited' }, api('b2', '10.0.0.2'));
    engine.emit('die', 'a1');
    await settled();
    clock.advance(600);
    await settled();
    const before = engine.requests.length;
    clock.advance(61_000);
    engine.emit('rename', 'b2');
    await until(() => engine.requests.length > before);
    t.equal(said.at(-1), 'api-b2 10.0.0.2:80');
  },
);

t.test('a restart, a pause or another signal leaves a container out only as long as it lasts', async (t) => {
  const one = api('a1', '10.0.0.1');
  const engine = await engineOf(t, one);
  const { ask, tells } = follow(t, engine);
  ask();
  await tells('api-a1 10.0.0.1:80 ?');
  engine.emit('kill', 'a1', { signal: '15' });
  await tells('');
  engine.emit('die', 'a1');
  engine.emit('stop', 'a1');
  engine.emit('start', 'a1');
  engine.emit('restart', 'a1');
  await tells('api-a1 10.0.0.1:80');
  engine.set({ ...one, state: 'paused' });
  engine.emit('pause', 'a1');
  await tells('');
  engine.set(one);
  engine.emit('unpause', 'a1');
  await tells('api-a1 10.0.0.1:80');
  engine.set({ ...one, networks: { web: '10.0.9.9' } });
  engine.emit('disconnect', 'n1');
  engine.emit('connect', 'n1');
  await tells('api-a1 10.0.9.9:80');
  engine.set({ ...one, name: 'other' });
  engine.emit('rename', 'a1');
  await tells('other 10.0.0.1:80');
});

t.test(
  'a pause counts from its event on, and lists that do not have it yet are asked for again',
  async (t) => {
    const one = api('a1', '10.0.0.1');
    const engine = await engineOf(t, one, api('b2', '10.0.0.2'));
    const { ask, tells, settled, clock, last } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
    engine.emit('pause', 'a1');
    await tells('api-b2 10.0.0.2:80');
    await settled();
    t.equal(last(), 'api-b2 10.0.0.2:80', 'whatever the list says');
    engine.set({ ...one, state: 'paused' }, api('b2', '10.0.0.2'));
    engine.emit('unpause', 'a1');
    await settled();
    t.equal(last(), 'api-b2 10.0.0.2:80', 'the list is behind');
    engine.set(one, api('b2', '10.0.0.2'));
    clock.advance(600);
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80');
    const asked = engine.requests.length;
    await settled();
    clock.advance(5000);
    await settled();
    t.equal(engine.requests.length, asked, 'once is enough');
    engine.emit('pause', 'a1');
    await tells('api-b2 10.0.0.2:80');
    await settled();
    engine.cut();
    await until(() => last().startsWith('failed: '));
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
  },
);

t.test('only what runs and is healthy, or does not say, is a server', async (t) => {
  const engine = await engineOf(
    t,
    api('a1', '10.0.0.1', { health: 'starting' }),
    api('b2', '10.0.0.2', { health: 'unhealthy' }),
    api('c3', '10.0.0.3', { health: 'healthy' }),
    api('d4', '10.0.0.4'),
    api('e5', '10.0.0.5', { state: 'paused' }),
    api('f6', '10.0.0.6', { state: 'exited' }),
    api('07', '10.0.0.7', { labels: { ...LABELS, 'lb.enable': 'false' } }),
    api('08', '10.0.0.8', { labels: { ...LABELS, 'com.docker.compose.oneoff': 'True' } }),
    api('09', '10.0.0.9', { labels: { app: 'other' } }),
  );
  const { ask, tells } = follow(t, engine);
  ask();
  await tells('api-c3 10.0.0.3:80, api-d4 10.0.0.4:80 ?');
  engine.set(api('a1', '10.0.0.1', { health: 'healthy' }), api('c3', '10.0.0.3', { health: 'unhealthy' }));
  engine.emit('health_status: healthy', 'a1');
  await tells('api-a1 10.0.0.1:80');
  engine.set();
  engine.emit('disconnect', 'net1');
  await tells('');
});

t.test('names, ports and weights: of the entry, of labels, of compose', async (t) => {
  const compose = { 'com.docker.compose.service': 'mango', 'com.docker.compose.project': 'shop' };
  const engine = await engineOf(
    t,
    api('a1', '10.0.0.1', { labels: { ...LABELS, ...compose, 'com.docker.compose.container-number': '2' } }),
    api('b2', '10.0.0.2', { labels: { ...LABELS, 'lb.name': 'big', 'lb.weight': '3', 'lb.port': '81' } }),
    api('c3', '10.0.0.3', { ports: [80, 443] }),
    api('d4', '10.0.0.4', { ports: [] }),
    api('e5', '10.0.0.5', { labels: { ...LABELS, 'lb.weight': 'much' } }),
  );
  const { ask, tells } = follow(t, engine);
  ask();
  await tells(
    'mango-2 10.0.0.1:80, big 10.0.0.2:81 *3 (api-c3: it exposes the ports 80, 443: say which one with lb.port; ' +
      'api-d4: it exposes no port: say which one with lb.port; ' +
      'api-e5: lb.weight: expected a number from 0 to 256, got "much") ?',
  );
  const given = follow(t, engine, { port: 8081 });
  given.ask();
  await until(() =>
    given.last().startsWith('mango-2 10.0.0.1:8081, big 10.0.0.2:8081 *3, api-c3 10.0.0.3:8081'),
  );
  const odd = { ...LABELS, ...compose, 'com.docker.compose.container-number': '1\nerror: none' };
  engine.set(api('f6', '10.0.0.6', { labels: odd }));
  const strange = follow(t, engine);
  strange.ask();
  await strange.tells('api-f6 10.0.0.6:80 ?');
});

t.test('in a container, the network that is shared is taken', async (t) => {
  const engine = await engineOf(
    t,
    api('a1', '10.0.0.1', { networks: { alpha: '10.1.0.1', web: '10.2.0.1' } }),
    api('b2', '10.0.0.2', { networks: { alpha: '10.1.0.2' } }),
    { id: 'aa55aa55aa55ff', name: 'lb', networks: { web: '10.2.0.9' } },
  );
  const { ask, tells } = follow(t, engine, {}, 'aa55aa55aa55');
  ask();
  await tells(
    'api-a1 10.2.0.1:80 (api-b2: it is in alpha, and this container (lb) in none of these networks) ?',
  );
});

const BROKEN: readonly [what: string, act: (engine: DockerEngine) => void, expected: RegExp][] = [
  [
    'the end of the stream',
    (engine) => engine.cut(),
    /^failed: the stream of events has ended: the engine closed/,
  ],
  [
    'an end in mid-event',
    (engine) => {
      engine.write(eventText('start', 'a1').slice(0, 50));
      setImmediate(() => engine.cut());
    },
    /^failed: the stream of events has ended: the engine closed/,
  ],
  [
    'an event that is no JSON',
    (engine) => engine.write('<html>\n'),
    /cannot be used: an event that is no JSON$/,
  ],
  [
    'an event that is no object',
    (engine) => engine.write('[]\n'),
    /cannot be used: an event that is no object$/,
  ],
  [
    'an event without an end',
    (engine) => engine.write('x'.repeat(5 * 1024 * 1024)),
    /cannot be used: an event without an end$/,
  ],
  [
    'a list that is refused',
    (engine) => {
      engine.listMood = 'broken';
      engine.emit('start', 'a1');
    },
    /^failed: the containers cannot be listed: status 500: it is not ready$/,
  ],
  [
    'a list that is no JSON',
    (engine) => {
      engine.listMood = 'garbage';
      engine.emit('start', 'a1');
    },
    /^failed: the list of containers is no JSON$/,
  ],
  [
    'half a list',
    (engine) => {
      engine.listMood = 'cut';
      engine.emit('start', 'a1');
    },
    /^failed: the containers cannot be listed: (aborted|the engine closed)/,
  ],
];

for (const [what, act, expected] of BROKEN)
  t.test(`${what} is a failure, and the next question begins with a whole list`, async (t) => {
    const engine = await engineOf(t, api('a1', '10.0.0.1'));
    const { ask, tells, last } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80 ?');
    act(engine);
    await until(() => last().startsWith('failed'));
    t.match(last(), expected);
    await until(() => engine.streams === 0);
    engine.mood = 'answering';
    engine.listMood = 'answering';
    engine.set(api('b2', '10.0.0.2'));
    ask();
    await tells('api-b2 10.0.0.2:80 ?');
  });

t.test('an engine that is silent, broken or missing is reported', async (t) => {
  const engine = await engineOf(t, api('a1', '10.0.0.1'));
  const { ask, last, clock, said } = follow(t, engine);
  const next = async (expected: RegExp): Promise<void> => {
    const count = said.length;
    ask();
    await until(() => {
      clock.advance(200);
      return said.length > count;
    });
    t.match(last(), expected);
  };
  engine.mood = 'silent';
  await next(/^failed: no answer within 10s$/);
  engine.mood = 'broken';
  await next(/^failed: status 500: it is not ready$/);
  engine.mood = 'refusing';
  await next(/^failed: the engine closed the connection$/);
  engine.mood = 'switching';
  await next(/^failed: it switches protocols without being asked$/);
  engine.mood = 'answering';
  engine.listMood = 'switching';
  await next(/^failed: the containers cannot be listed: it switches protocols without being asked$/);
  engine.listMood = 'silent';
  await next(/^failed: the containers cannot be listed: no answer within 10s$/);
  await engine.close();
  await next(/^failed: there is no such socket: is the engine running\?$/);
});

t.test('events however they are split, and a stream that stays silent, are fine', async (t) => {
  const engine = await engineOf(t, api('a1', '10.0.0.1'), api('b2', '10.0.0.2'));
  const { ask, tells, said, clock } = follow(t, engine);
  ask();
  await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
  clock.advance(3_600_000);
  const text = `${eventText('kill', 'a1', { signal: '15', note: 'äöü' })}\n\n${eventText('kill', 'b2', { signal: '15' })}\n`;
  for (const letter of text) {
    engine.write(letter);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await tells('');
  t.notOk(said.some((line) => line.startsWith('failed')));
});

t.test(
  'after a pause, a container that was told to stop and started again meanwhile is a server',
  async (t) => {
    const engine = await engineOf(t, api('a1', '10.0.0.1'), api('b2', '10.0.0.2'));
    const { ask, tells, last } = follow(t, engine);
    ask();
    await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
    engine.emit('kill', 'a1', { signal: '15' }, 1_800_000_100);
    engine.emit('kill', 'b2', { signal: '15' }, 1_800_000_100);
    await tells('');
    engine.cut();
    await until(() => last().startsWith('failed'));
    engine.set(
      api('a1', '10.0.0.1'),
      api('b2', '10.0.0.2', { startedAt: new Date(1_800_000_200_000).toISOString() }),
    );
    ask();
    await tells('api-b2 10.0.0.2:80');
  },
);

t.test('a container that is told to stop while the list is asked for after a pause stays out', async (t) => {
  const engine = await engineOf(t, api('a1', '10.0.0.1'), api('b2', '10.0.0.2'));
  const { ask, tells, last, settled } = follow(t, engine);
  ask();
  await tells('api-a1 10.0.0.1:80, api-b2 10.0.0.2:80 ?');
  engine.emit('kill', 'a1', { signal: '15' }, 1_800_000_100);
  await tells('api-b2 10.0.0.2:80');
  engine.cut();
  await until(() => last().startsWith('failed'));
  engine.set(
    api('a1', '10.0.0.1', { startedAt: new Date(1_800_000_200_000).toISOString() }),
    api('b2', '10.0.0.2'),
  );
  let answer: (() => void) | null = null;
  engine.onInspect = (then) => {
    answer = then;
  };
  ask();
  await until(() => answer !== null);
  engine.emit('kill', 'a1', { signal: '15' }, 1_800_000_300);
  await settled();
  (answer as (() => void) | null)?.();
  await settled();
  t.equal(last(), 'api-b2 10.0.0.2:80');
});

t.test('sources share a stream, and it ends with the last of them', async (t) => {
  const engine = await engineOf(t, api('a1', '10.0.0.1'));
  const { ask, tells, engines, config, source, clock } = follow(t, engine);
  const other = new DockerSource(config, { engines });
  ask();
  await tells('api-a1 10.0.0.1:80 ?');
  const lists: number[] = [];
  const listener = { onServers: () => void lists.push(engine.requests.length), onFailed: () => {} };
  other.ask(listener);
  await until(() => lists.length === 1);
  t.same(lists, [3], 'a list that is a moment old is not asked for again');
  clock.advance(1000);
  other.ask(listener);
  await until(() => lists.length === 2);
  t.equal(engine.requests.length, 4);
  t.equal(engine.streams, 1);
  source.stop();
  t.equal(engine.streams, 1);
  other.stop();
  await until(() => engine.streams === 0);
});

t.test('a thousand containers', async (t) => {
  const many = Array.from({ length: 1000 }, (_, at) =>
    api(at.toString(16), `10.0.${at >> 8}.${at & 255}`, {
      created: at,
      labels: { ...LABELS, note: 'x'.repeat(1000) },
    }),
  );
  const engine = await engineOf(t, ...many);
  const { ask, said } = follow(t, engine);
  ask();
  await until(() => said.length > 0);
  t.equal(said[0]?.split(', ').length, 1000);
});

t.test('an engine at tcp:// with TLS is verified, and shown a certificate', async (t) => {
  const authority = await TestAuthority.create('engines');
  const server = await authority.issue({ names: ['127.0.0.1'] });
  const client = await authority.issue({ names: ['lb'] });
  const secure = createSecureServer({
    key: server.key,
    cert: server.cert,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const engine = await DockerEngine.startTcp(secure);
  t.teardown(() => engine.close());
  engine.set(api('a1', '10.0.0.1'));
  const socket = `tcp://127.0.0.1:${engine.port}`;
  const tls = { ca: authority.cert, cert: client.cert, key: client.key };
  const { ask, tells } = follow(t, engine, { engine: { socket, tls } });
  ask();
  await tells('api-a1 10.0.0.1:80 ?');
  const stranger = follow(t, engine, { engine: { socket, tls: { ...tls, ca: null } } });
  stranger.ask();
  await until(() => stranger.last() !== '');
  t.match(stranger.last(), /^failed: .*(certificate|CERT)/i);
  const plain = follow(t, engine, { engine: { socket, tls: null } });
  plain.ask();
  await until(() => plain.last().startsWith('failed'));
});

t.test('where the engine is, as settings and the environment say', async (t) => {
  const none = { socket: null, tls: null };
  t.same(endpointOf(none, {}), { kind: 'unix', path: '/var/run/docker.sock' });
  t.same(endpointOf(none, { DOCKER_HOST: 'unix:///run/user/1/docker.sock' }), {
    kind: 'unix',
    path: '/run/user/1/docker.sock',
  });
  t.same(endpointOf(none, { DOCKER_HOST: 'tcp://[::1]:99' }), {
    kind: 'tcp',
    host: '::1',
    port: 99,
    tls: null,
  });
  t.same(endpointOf({ ...none, socket: '/run/d.sock' }, { DOCKER_HOST: 'tcp://a:1' }), {
    kind: 'unix',
    path: '/run/d.sock',
  });
  t.same(endpointOf({ ...none, socket: 'tcp://engine' }, {}), {
    kind: 'tcp',
    host: 'engine',
    port: 2375,
    tls: null,
  });
  t.throws(() => endpointOf(none, { DOCKER_HOST: 'ssh://me@host' }), /^DOCKER_HOST: expected unix:/);
  t.throws(() => endpointOf(none, { DOCKER_HOST: 'tcp://host:99999' }), /^DOCKER_HOST: expected/);
  t.throws(() => endpointOf({ ...none, socket: 'tcp://ho\u0142st:99' }, {}), /^expected unix:/);
  const secure = { DOCKER_HOST: 'tcp://engine:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' };
  t.throws(() => endpointOf(none, secure), /^DOCKER_HOST: \/nowhere\/ca\.pem cannot be read: /);
  const folder = t.testdir({ 'ca.pem': 'A', 'cert.pem': 'B', 'key.pem': 'C' });
  t.match(endpointOf(none, { ...secure, DOCKER_CERT_PATH: folder }), {
    port: 2376,
    tls: { ca: 'A', cert: 'B', key: 'C' },
  });
});
