import t from 'tap';
import { NO_KEY } from '../../lib/servers/scheduler/scheduler.js';
import { ServerGroup } from '../../lib/servers/server-group.js';
import { ROUND_ROBIN, serverMaker } from './support.js';

t.test('a server that was out returns evenly from a tenth of its weight to all of it', (t) => {
  const { makeServer, clock } = serverMaker(t);
  const server = makeServer('a', { weight: 20, maxConnections: 50, slowStart: 20_000 });
  t.equal(server.effectiveWeight, 20, 'no slow start at the beginning');
  const returns: readonly [string, () => void, () => void][] = [
    ['down', () => server.judge(false), () => server.judge(true)],
    ['ejected', () => server.eject(true), () => server.eject(false)],
    ['maintenance', () => server.setAvailability('maintenance'), () => server.setAvailability('ready')],
  ];
  for (const [what, leave, back] of returns) {
    leave();
    clock.advance(5000);
    back();
    t.equal(server.effectiveWeight, 2, what);
    t.equal(server.capacity, 5);
    clock.advance(10_000);
    t.ok(Math.abs(server.effectiveWeight - 10) <= 1, `${what}: half way, ${server.effectiveWeight}`);
    t.ok(Math.abs(server.capacity - 25) <= 2.5);
    clock.advance(10_500);
    t.equal(server.effectiveWeight, 20, `${what}: full weight`);
    t.equal(server.capacity, 50);
  }
  t.end();
});

t.test('there is no slow start after draining, or without slow_start', (t) => {
  const { makeServer } = serverMaker(t);
  const draining = makeServer('a', { weight: 20, slowStart: 20_000 });
  draining.setAvailability('draining');
  draining.setAvailability('ready');
  draining.setWeight(0);
  draining.setWeight(20);
  t.equal(draining.effectiveWeight, 20);
  const plain = makeServer('b', { weight: 20 });
  plain.judge(false);
  plain.judge(true);
  t.equal(plain.effectiveWeight, 20);
  t.end();
});

t.test('the share of requests grows during slow start', (t) => {
  const { makeServer, clock } = serverMaker(t);
  const [a, b] = [makeServer('a', { slowStart: 10_000 }), makeServer('b')];
  const group = new ServerGroup([a, b], ROUND_ROBIN);
  const share = (): number => {
    let count = 0;
    for (let i = 0; i < 1000; i++) if (group.pick(NO_KEY, []) === a) count++;
    return count;
  };
  t.equal(share(), 500);
  a.judge(false);
  t.equal(share(), 0);
  a.judge(true);
  t.ok(Math.abs(share() - 1000 / 11) < 3);
  clock.advance(5100);
  t.ok(Math.abs(share() - 1000 / 3) < 20);
  clock.advance(5500);
  t.equal(share(), 500);
  t.end();
});

t.test('a change of weight during slow start applies at once', (t) => {
  const { makeServer, clock } = serverMaker(t);
  const server = makeServer('a', { weight: 10, slowStart: 10_000 });
  server.judge(false);
  server.judge(true);
  server.setWeight(100);
  t.equal(server.effectiveWeight, 10);
  server.judge(false);
  clock.advance(20_000);
  server.judge(true);
  t.equal(server.effectiveWeight, 10, 'slow start begins again when the server was out again');
  t.end();
});
