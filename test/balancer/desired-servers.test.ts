import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { Config } from '../../lib/config/types.js';
import { readChanges, writeChanges } from '../../lib/control/changes.js';
import { DesiredServers } from '../../lib/control/desired-servers.js';
import { FileIndex } from '../../lib/control/file-index.js';
import { readServer } from '../../lib/control/server-settings.js';

/** Two lists of servers, by letters: each is its own name and has the port of its place in the alphabet. */
function file(shop: string, rest: string, weights: { [name: string]: number } = {}): Config {
  const list = (letters: string) =>
    [...letters].map((name) => ({ name, address: addressOf(name), weight: weights[name] ?? 1 }));
  return createConfig({
    health_check: false,
    servers: list(rest),
    hosts: shop === '' ? [] : [{ host: 'shop', servers: list(shop) }],
  });
}

const addressOf = (name: string): string => `localhost:${name.charCodeAt(0)}`;

/** `default: a b, shop: a c`. */
function who(desired: DesiredServers): string {
  const lists = new Map<string, string[]>();
  for (const [name, { routes }] of desired.serverList())
    for (const route of routes) lists.set(route, [...(lists.get(route) ?? []), name]);
  const texts = [...lists].map(([route, names]) => `${route}: ${names.sort().join(' ')}`);
  return texts.sort().join(', ');
}

t.test('a server is removed from every route, and added to one', async (t) => {
  const desired = new DesiredServers(file('ac', 'ab'));
  desired.remove('a');
  t.equal(who(desired), 'default: b, shop: c');
  desired.add(desired.planAddition('shop', { address: addressOf('a') }, readServer));
  t.equal(who(desired), 'default: b, shop: a c');
  t.strictSame(desired.drift, ['servers of default: without a (file: there)']);
  t.throws(() => desired.remove('b'), { code: 'last_server', message: /last server of default/ });
});

t.test('a change that the file takes over is no change any more', async (t) => {
  const desired = new DesiredServers(file('', 'ab'));
  desired.add(desired.planAddition('default', { address: addressOf('c'), name: 'c', weight: 3 }, readServer));
  desired.remove('a');
  desired.setWeight('b', 5);
  t.equal(desired.drift.length, 3);
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'bc', { b: 5, c: 3 }))), []);
  t.strictSame(desired.drift, []);
  t.equal(who(desired), 'default: b c');
});

t.test('a server that was added and then written into the file has the weight of the file', async (t) => {
  for (const weight of [undefined, 3]) {
    const desired = new DesiredServers(file('', 'ab'));
    desired.add(
      desired.planAddition(
        'default',
        {
          address: addressOf('c'),
          name: 'c',
          ...(weight !== undefined && { weight }),
        },
        readServer,
      ),
    );
    t.strictSame(desired.applyFile(FileIndex.of(file('', 'abc', { c: 2 }))), [
      `the weight of c is 2: the file has been edited since it was set to ${weight ?? 1}`,
    ]);
    t.match(desired.serverList().get('c'), { weight: 2 });
    t.strictSame(desired.drift, []);
  }
});

t.test('a weight that was set while running holds over reloads that do not edit it', async (t) => {
  const desired = new DesiredServers(file('ab', 'ab'));
  desired.setWeight('b', 5);
  t.strictSame(
    desired.applyFile(FileIndex.of(file('ba', 'abc', { a: 7 }))),
    [],
    'other servers and another order are no edit of it',
  );
  t.match(desired.serverList().get('b'), { weight: 5 });
  t.strictSame(desired.drift, ['weight of b: 5 (file: 1)']);
});

t.test('a weight edited in the file after it was set while running wins, with a message', async (t) => {
  const desired = new DesiredServers(file('', 'ab'));
  desired.setWeight('b', 5);
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'ab', { b: 3 }))), [
    'the weight of b is 3: the file has been edited since it was set to 5',
  ]);
  t.match(desired.serverList().get('b'), { weight: 3 });
  t.strictSame(desired.drift, []);
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'ab'))), [], 'the next edit is one of the file alone');
  t.match(desired.serverList().get('b'), { weight: 1 });
  desired.setWeight('b', 6);
  t.match(desired.serverList().get('b'), { weight: 6 }, 'and what is set now is newer again');
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'ab'))), []);
  t.match(desired.serverList().get('b'), { weight: 6 });
});

t.test('an edit of the weight to or from 0 overrides what an operator set before', async (t) => {
  const desired = new DesiredServers(file('', 'ab'));
  desired.setWeight('a', 9);
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'ab', { a: 0, b: 0 }))), [
    'the weight of a is 0: the file has been edited since it was set to 9',
  ]);
  desired.setAvailability('b', 'maintenance');
  t.strictSame(desired.applyFile(FileIndex.of(file('', 'ab', { a: 0, b: 4 }))), [
    'b is ready: the file has been edited to give it weight 4 since it was set to maintenance',
  ]);
  t.match(desired.serverList().get('b'), { weight: 4, availability: 'ready' });
  desired.setAvailability('b', 'draining');
  t.strictSame(
    desired.applyFile(FileIndex.of(file('', 'ab', { a: 0, b: 5 }))),
    [],
    'another share of the work is no wish for work',
  );
  t.match(desired.serverList().get('b'), { weight: 5, availability: 'draining' });
});

t.test('a file that was edited while no process ran wins over what was kept, once', async (t) => {
  const before = new DesiredServers(file('', 'abc', { c: 0 }));
  before.setWeight('a', 5);
  before.setWeight('b', 7);
  before.setAvailability('b', 'draining');
  before.setAvailability('c', 'draining');
  const kept = writeChanges(before.changes);
  const edited = file('', 'abc', { a: 3, c: 2 });
  const after = new DesiredServers(edited);
  t.strictSame(after.restore(readChanges(kept)), [
    'the weight of a is 3: the file has been edited since it was set to 5',
    'c is ready: the file has been edited to give it weight 2 since it was set to draining',
  ]);
  t.match(after.serverList().get('a'), { weight: 3 });
  t.match(after.serverList().get('b'), { weight: 7, availability: 'draining' });
  t.strictSame(new DesiredServers(edited).restore(readChanges(writeChanges(after.changes))), []);
  const { file_weights, ...old } = JSON.parse(kept) as Record<string, unknown>;
  const unknown = new DesiredServers(edited);
  t.strictSame(
    unknown.restore(readChanges(JSON.stringify(old))),
    [],
    'of a version that did not keep it: what was set holds',
  );
  t.match(unknown.serverList().get('a'), { weight: 5 });
});

t.test('a removed server stays removed over a reload when only an added one is left', async (t) => {
  const desired = new DesiredServers(file('', 'a'));
  desired.add(desired.planAddition('default', { address: addressOf('c'), name: 'c' }, readServer));
  desired.remove('a');
  t.equal(who(desired), 'default: c');
  t.strictSame(desired.applyFile(FileIndex.of(file('b', 'a'))), []);
  t.equal(who(desired), 'default: c, shop: b');
});

t.test('a change that has no place in the file any more is dropped, with a message', async (t) => {
  const desired = new DesiredServers(file('ac', 'ab'));
  desired.add(desired.planAddition('shop', { address: addressOf('d'), name: 'd' }, readServer));
  desired.remove('b');
  t.match(desired.applyFile(FileIndex.of(file('', 'b'))), [
    /^b was removed from default, .* it is restored$/,
    /^d was added to shop, and is dropped: shop forwards to no servers any more$/,
  ]);
  t.equal(who(desired), 'default: b');
  t.strictSame(desired.drift, []);
});

t.test('a name that the file gives to another address follows the file', async (t) => {
  const desired = new DesiredServers(file('', 'ab'));
  desired.add(desired.planAddition('default', { address: 'localhost:9999', name: 'c' }, readServer));
  t.match(desired.applyFile(FileIndex.of(file('', 'abc'))), [
    /^c was added .*: c is the name of localhost:99$/,
  ]);
  t.equal(who(desired), 'default: a b c');
});

t.test('the weight and availability of a removed server are forgotten', async (t) => {
  const desired = new DesiredServers(file('', 'ab'));
  desired.setAvailability('a', 'maintenance');
  desired.setWeight('a', 9);
  desired.remove('a');
  desired.add(desired.planAddition('default', { address: addressOf('a') }, readServer));
  t.match(desired.serverList().get('a'), { weight: 1, availability: 'ready' });
  desired.setAvailability('b', 'draining');
  desired.applyFile(FileIndex.of(file('', 'a')));
  desired.applyFile(FileIndex.of(file('', 'ab')));
  t.match(desired.serverList().get('b'), { availability: 'ready' });
});

t.test('another process restores the changes that still apply to the file', async (t) => {
  const before = new DesiredServers(file('ac', 'ab'));
  before.add(
    before.planAddition(
      'default',
      {
        address: addressOf('d'),
        name: 'd',
        weight: 3,
        backup: true,
        max_connections: 7,
      },
      readServer,
    ),
  );
  before.add(before.planAddition('shop', { address: 'localhost:5000' }, readServer));
  before.remove('b');
  before.setWeight('c', 0);
  before.setAvailability('a', 'maintenance');
  const kept = writeChanges(before.changes);
  const after = new DesiredServers(file('ac', 'ab'));
  t.strictSame(after.restore(readChanges(kept)), []);
  t.strictSame(after.drift, before.drift);
  t.strictSame(after.serverList(), before.serverList());
  t.equal(writeChanges(after.changes), kept);

  const another = new DesiredServers(file('', 'b'));
  t.strictSame(another.restore(readChanges(kept)), [
    'localhost:5000 was added to shop, and is dropped: shop forwards to no servers any more',
  ]);
  t.equal(who(another), 'default: d');
});

t.test('stored changes that are no list of changes are refused with a warning', async (t) => {
  const good = JSON.parse(writeChanges(new DesiredServers(file('', 'a')).changes)) as object;
  const server = { route: 'default', address: 'localhost:1' };
  for (const [change, message] of [
    [{ version: 2 }, 'unknown version 2'],
    [{ weights: { a: 257 } }, 'weights of a cannot be 257'],
    [{ availability: { a: 'drain' } }, 'availability of a cannot be "drain"'],
    [{ file_weights: { a: [1, '2'] } }, 'file_weights of a cannot be [1,"2"]'],
    [{ removed: {} }, 'removed is not a list'],
    [{ added: [{ ...server, route: 1 }] }, 'added has an entry without a route'],
    [{ added: [{ ...server, address: 'nowhere' }] }, /expected host:port/],
    [{ added: [{ ...server, name: 7 }] }, /name: expected/],
  ] as const)
    t.throws(() => readChanges(JSON.stringify({ ...good, ...change })), { message });
  t.throws(() => readChanges('{'), { message: /^not valid JSON/ });
  t.throws(() => readChanges('[]'), { message: 'the file is not a map' });
});
