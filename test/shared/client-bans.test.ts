import fc from 'fast-check';
import t from 'tap';
import { type IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';
import { CLIENT_BANS } from '../../lib/shared/client-bans.js';
import { offenceShapes } from '../../lib/shared/client-offences.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { until } from '../support/loop-ticks.js';
import { resultsOf, startCrowd } from './crowd.js';
import { hashOf, monotonic, OFFENCES, OFFENDER } from './tasks.js';

const ip = (text: string): IpAddress => parseIpAddress(text) as IpAddress;

t.test('a ban is in force and is lifted in other threads from their next look on', async (t) => {
  const shared = SharedMemory.create(3);
  const hash = hashOf(shared);
  const { bans } = shared.clients;
  const seen = new SharedArrayBuffer(4);
  const crowd = await startCrowd(t, shared, 'watchBan', [{ seen }, { seen }]);
  bans.add(hash, OFFENDER, monotonic() + 60_000, monotonic());
  const bannedAt = monotonic();
  await until(() => Atomics.load(new Int32Array(seen), 0) === 2, 'both threads see the ban');
  t.ok(bans.lift(hash.ofClient(OFFENDER), monotonic()));
  const liftedAt = monotonic();
  for (const [notYet, still] of await resultsOf(crowd)) {
    t.ok(notYet <= bannedAt, `a look saw no ban ${notYet - bannedAt} ms after it`);
    t.ok(still <= liftedAt, `a look saw a ban ${still - liftedAt} ms after it was lifted`);
  }
});

t.test('offences that four threads note at once lead to as many bans as their number allows', async (t) => {
  const shared = SharedMemory.create(5);
  const part = { times: 25_250, now: 1000 };
  const crowd = await startCrowd(t, shared, 'offend', [part, part, part, part]);
  const led = (await resultsOf(crowd)).reduce((sum, each) => sum + each);
  t.equal(led, (4 * part.times) / OFFENCES.count);
});

t.test('bans are listed with the address of the client, by their scope', async (t) => {
  const shared = SharedMemory.create(2);
  const { bans, scopes } = SharedMemory.attach(shared.handle, 1).clients;
  const other = scopes.hashFor('a limit', ['other rules']);
  const clients = ['192.0.2.1', '255.255.255.255', '2001:db8:ffff:1::7', '0:0:0:1::', '::1', '128.0.0.1'];
  for (const [i, client] of clients.entries()) bans.add(hashOf(shared), ip(client), 2000 + i, 1000);
  bans.add(other, ip('192.0.2.1'), 9000, 1000);
  const list = (now: number): string[] =>
    [...shared.clients.bans.list(hashOf(shared), now)]
      .map(({ client, until }) => `${client} ${until}`)
      .sort();
  t.strictSame(list(1000), clients.map((client, i) => `${ip(client).key} ${2000 + i}`).sort());
  t.equal(list(2003).length, 2, 'those that have ended are not listed');
  t.ok(bans.lift(hashOf(shared).ofClient(ip('::2')), 1000), 'any address of the /64');
  t.notOk(list(1000).some((line) => line.startsWith('0:0:0:0::')));
  bans.clear(hashOf(shared));
  t.strictSame(list(1000), []);
  t.equal([...bans.list(other, 1000)].length, 1);
  t.ok(bans.lift(other.ofClient(ip('192.0.2.1')), 1000));
  t.ok(bans.isEmpty);
});

t.test('in a full set the ban gives way that ends first', async (t) => {
  const { bans, scopes } = SharedMemory.create().clients;
  const hash = scopes.hashFor('a limit', ['rules']);
  const most = CLIENT_BANS.sets * CLIENT_BANS.ways;
  const address = (i: number): IpAddress => ip(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  // Long ones among three times as many as there is room for.
  for (let i = 0; i < 3 * most; i++) bans.add(hash, address(i), i % 12 === 0 ? 9000 : 2000 + (i % 5), 1000);
  t.ok(bans.countAt(1000) <= most && bans.countAt(1000) > 0.99 * most, `${bans.countAt(1000)}`);
  let long = 0;
  for (let i = 0; i < 3 * most; i += 12) if (bans.isBanned(hash.ofClient(address(i)), 1000)) long++;
  t.ok(long > 0.99 * (most / 4), `${long} of ${most / 4} long ones`);
});

t.test(
  'offences: all that matters is how many there were in the time, for records of every size',
  async (t) => {
    for (const count of [1, 2, 3, 4, 5, 16, 17, 100, 1000, 10_000]) {
      const { offences, scopes } = SharedMemory.create().clients;
      const hash = scopes.hashFor('a limit', ['rules']);
      const terms = { count, within: count * 10 };
      const note = (now: number): boolean => offences.note(hash.ofClient(OFFENDER), terms, now);
      // One too few in any such time.
      for (let i = 0; i < 2 * count && count > 1; i++)
        if (note(1000 + i * 10.1 * (count / (count - 1)))) t.fail(`${count}`);
      offences.forget(hash.ofClient(OFFENDER), terms);
      for (let i = 1; i < count; i++) if (note(1e6 + i)) t.fail(`${count}`);
      t.ok(note(1e6 + count), `${count}`);
      t.equal(offences.size, 0, 'the record is removed');
    }
  },
);

t.test('the last offences of a client are those of a list, whichever thread notes them', async () => {
  const step = fc.record({ thread: fc.integer({ min: 0, max: 1 }), wait: fc.integer({ min: 0, max: 30 }) });
  const shared = SharedMemory.create(2);
  const threads = [shared, SharedMemory.attach(shared.handle, 1)] as const;
  let runs = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 100 }), (count, steps) => {
      const hash = shared.clients.scopes.hashFor('a limit', [`run ${runs++}`]);
      let now = 1000;
      let times: number[] = [];
      return steps.every(({ thread, wait }) => {
        now += wait;
        times = [...times, now].filter((at) => now - at <= 50);
        const areTooMany = times.length >= count;
        if (areTooMany) times = [];
        const { offences } = (threads[thread] as SharedMemory).clients;
        return offences.note(hash.ofClient(OFFENDER), { count, within: 50 }, now) === areTooMany;
      });
    }),
    { numRuns: 300 },
  );
});

t.test('a table of records takes no more than 9 MiB, and there is one for every count', async (t) => {
  for (const { sets, ways, entryWords } of offenceShapes()) {
    t.ok(4 * sets * ways * entryWords <= 9 * 2 ** 20 && sets >= 8, `${sets} sets of ${entryWords} words`);
  }
});
