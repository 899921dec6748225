import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { AbsentServers } from '../../lib/control/absent-servers.js';
import { type Changes, readChanges, writeChanges } from '../../lib/control/changes.js';
import { DesiredServers } from '../../lib/control/desired-servers.js';
import { Seen } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { until } from '../support/loop-ticks.js';

const DAY = 24 * 3_600_000;

t.test('changes of a server that is not there are kept for seven days', async (t) => {
  const absent = new AbsentServers();
  const there = new Set(['a']);
  const look = (now: number) => absent.look(['a', 'b'], (name) => there.has(name), now);
  t.same(look(0), { expired: [], isChanged: true });
  t.same(look(DAY), { expired: [], isChanged: false });
  t.same([...absent.since], [['b', 0]]);
  there.add('b');
  t.same(look(2 * DAY), { expired: [], isChanged: true });
  there.clear();
  t.same(look(3 * DAY).expired, []);
  t.same(look(10 * DAY - 1).expired, [], 'it was there three days ago');
  t.same(look(10 * DAY).expired, ['a', 'b']);
});

t.test('of more than a thousand such servers the first to leave are forgotten', async (t) => {
  const absent = new AbsentServers();
  const names = Array.from({ length: 1002 }, (_, index) => `s${index}`);
  absent.look(names.slice(0, 1), () => false, 0);
  absent.look(names.slice(0, 2), () => false, 1);
  t.same(absent.look(names, () => false, 2).expired, ['s0', 's1']);
});

t.test('changes of addresses of a host name are kept for seven days too', async (t) => {
  const desired = new DesiredServers(createConfig({ servers: ['app.test:80', '127.0.0.1:80'] }));
  desired.layers.resolve('app.test', ['10.0.0.1', '10.0.0.2']);
  desired.setWeight('app.test:80/10.0.0.1', 3);
  desired.setAvailability('app.test:80/10.0.0.2', 'draining');
  desired.setWeight('127.0.0.1:80', 3);
  t.same(desired.noteAbsent(0), { expired: [], isChanged: false });
  desired.layers.resolve('app.test', ['10.0.0.2', '10.0.0.3']);
  t.same(desired.noteAbsent(1).expired, []);
  const { expired } = desired.noteAbsent(1 + 7 * DAY);
  t.same(expired, ['app.test:80/10.0.0.1']);
  desired.forget(expired);
  const { weights, availability } = desired.changes;
  t.same([...weights], [['127.0.0.1:80', 3]]);
  t.same([...availability], [['app.test:80/10.0.0.2', 'draining']]);
});

t.test('what a state file has of servers that never returned is forgotten at the start', async (t) => {
  const path = join(t.testdir(), 'list.json');
  writeFileSync(path, JSON.stringify([{ targets: ['127.0.0.1:81'] }]));
  const config = createConfig({ listen: '127.0.0.1:0', servers: [{ file: path }], health_check: false });
  const before = readChanges(
    JSON.stringify({
      version: 1,
      weights: { '127.0.0.1:81': 4, '127.0.0.1:82': 5 },
      availability: { '127.0.0.1:83': 'draining', '127.0.0.1:84': 'maintenance' },
      added: [],
      removed: [{ route: 'default', address: '127.0.0.1:85' }],
      absent_since: { '127.0.0.1:82': 1000, '127.0.0.1:83': 1000, '127.0.0.1:85': Date.now() - 8 * DAY },
    }),
  );
  let kept = '';
  const keep = (changes: Changes): void => {
    kept = writeChanges(changes);
  };
  const seen = new Seen();
  const balancer = createBalancer(config, seen, { store: { changes: before, keep } });
  t.teardown(() => balancer.stop());
  await balancer.start();
  await until(() => kept !== '');
  const after = readChanges(kept);
  t.same([...after.weights], [['127.0.0.1:81', 4]]);
  t.same([...after.availability], [['127.0.0.1:84', 'maintenance']]);
  t.same(after.removed, []);
  t.same(
    [...(after.absent ?? [])].map(([name]) => name),
    ['127.0.0.1:84'],
  );
  t.match(seen.warnings, [
    'changes to 127.0.0.1:82 and 2 more servers are forgotten: no source has reported these servers for a long time',
  ]);
  t.throws(() =>
    readChanges(kept.replace(/"absent_since": \{\n {4}"127\.0\.0\.1:84": \d+/, '"absent_since": {"a": "b"')),
  );
});

nothingIsLeft(t);
