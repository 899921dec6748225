import t from 'tap';
import type { ServerWatcher } from '../../lib/servers/engine-contract.js';
import { NO_KEY } from '../../lib/servers/scheduler/scheduler.js';
import type { Server } from '../../lib/servers/server.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { ROUND_ROBIN, serverMaker } from './support.js';

t.test('a server is usable only while it is up, ready, not ejected and has weight', (t) => {
  const { makeServer } = serverMaker(t);
  const server = makeServer('a', { weight: 2 });
  t.ok(server.isUsable && server.takesBound);
  const objections: readonly [string, (on: boolean) => void, takesBound: boolean][] = [
    ['down', (on) => server.judge(!on), false],
    ['ejected', (on) => server.eject(on), false],
    ['draining', (on) => server.setAvailability(on ? 'draining' : 'ready'), true],
    ['maintenance', (on) => server.setAvailability(on ? 'maintenance' : 'ready'), false],
    ['weight 0', (on) => server.setWeight(on ? 0 : 2), true],
  ];
  for (const [what, object, takesBound] of objections) {
    object(true);
    t.notOk(server.isUsable, what);
    t.equal(server.takesBound, takesBound, `${what}: bound clients`);
    object(false);
    t.ok(server.isUsable, `${what} no more`);
  }
  t.end();
});

t.test('watchers are called only for changes, and not after they have left', (t) => {
  const { makeServer } = serverMaker(t);
  const server = makeServer('a');
  let told = 0;
  const watcher: ServerWatcher = { onServerChange: () => told++ };
  const leaving: ServerWatcher = { onServerChange: () => server.unwatch(leaving) };
  server.watch(leaving);
  server.watch(watcher);
  server.judge(true);
  server.eject(false);
  server.setAvailability('ready');
  server.setWeight(1);
  t.equal(told, 0);
  server.judge(false);
  t.equal(told, 1, 'also when another watcher left meanwhile');
  server.eject(true);
  server.setAvailability('draining');
  server.setWeight(5);
  t.equal(told, 4);
  server.unwatch(watcher);
  server.judge(true);
  t.equal(told, 4);
  t.end();
});

t.test('the hash of a name does not depend on the process', (t) => {
  const { makeServer } = serverMaker(t);
  t.equal(makeServer('localhost:8081').hash, 1_485_845_644);
  t.end();
});

const pickAll = (group: ServerGroup, tried: Server[] = []) =>
  new Set(Array.from({ length: 12 }, () => group.pick(NO_KEY, tried)?.name ?? 'none'));

t.test('backups serve when no other server is usable, or a request has tried them all', (t) => {
  const { makeServer } = serverMaker(t);
  const [a, b] = [makeServer('a'), makeServer('b')];
  const [c, d] = [makeServer('c', { backup: true }), makeServer('d', { backup: true })];
  const group = new ServerGroup([c, a, b, d], ROUND_ROBIN);
  t.strictSame(pickAll(group), new Set(['a', 'b']));
  a.judge(false);
  t.strictSame(pickAll(group), new Set(['b']));
  t.strictSame(pickAll(group, [b]), new Set(['c', 'd']));
  b.eject(true);
  t.strictSame(pickAll(group), new Set(['c', 'd']));
  c.setAvailability('draining');
  d.setWeight(0);
  t.strictSame(pickAll(group), new Set(['none']));
  t.notOk(group.isUsable);
  a.judge(true);
  t.strictSame(pickAll(group), new Set(['a']));
  t.end();
});

t.test(
  'a released group is not notified, and its remaining requests see the current state of servers',
  (t) => {
    const { makeServer } = serverMaker(t);
    const [a, b] = [makeServer('a'), makeServer('b')];
    const group = new ServerGroup([a, b], ROUND_ROBIN);
    let told = 0;
    group.onServerChange = () => told++;
    group.release();
    a.judge(false);
    t.equal(told, 0);
    t.strictSame(pickAll(group), new Set(['b']));
    t.end();
  },
);

t.test('outcomes of attempts are reported only to watchers that ask for them', (t) => {
  const { makeServer } = serverMaker(t);
  const server = makeServer('a');
  let asked = 0;
  let told = 0;
  const group: ServerWatcher = {
    get onOutcome() {
      asked++;
      return undefined as never;
    },
  };
  const judge: ServerWatcher = { onOutcome: () => told++ };
  server.watch(group);
  server.watch(judge);
  asked = 0;
  const outcome = { kind: 'ok', status: 200, durationMs: 1 } as const;
  for (let i = 0; i < 10; i++) server.noteOutcome(outcome);
  t.equal(told, 10);
  t.equal(asked, 0);
  server.unwatch(judge);
  server.noteOutcome(outcome);
  t.equal(told, 10);
  t.end();
});
