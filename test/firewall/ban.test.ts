import fc from 'fast-check';
import t from 'tap';
import type { BanConfig } from '../../lib/config/types.js';
import { Ban } from '../../lib/firewall/ban.js';
import type { ClientTables } from '../../lib/shared/client-tables.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { ip } from './support.js';

const CONFIG: BanConfig = {
  status: [
    { from: 401, to: 401 },
    { from: 404, to: 404 },
    { from: 500, to: 599 },
  ],
  count: 3,
  within: 60_000,
  for: 600_000,
};

interface Banning {
  readonly ban: Ban;
  readonly clients: ClientTables;
  readonly clock: ManualClock;
  note(client: string, ...statuses: readonly number[]): void;
  isBanned(client: string): boolean;
}

function banning(config: Partial<BanConfig> = {}): Banning {
  const clock = new ManualClock();
  const { clients } = SharedMemory.create();
  const ban = new Ban({ ...CONFIG, ...config }, clock, clients, ['rules']);
  return {
    ban,
    clients,
    clock,
    note: (client, ...statuses) => statuses.forEach((status) => void ban.note(ip(client), status)),
    isBanned: (client) => !ban.admits(ip(client)),
  };
}

t.test('a client with too many responses of a kind is banned, and it alone', async (t) => {
  const { note, isBanned } = banning();
  note('192.0.2.1', 404, 401);
  t.notOk(isBanned('192.0.2.1'));
  note('192.0.2.1', 503);
  t.ok(isBanned('192.0.2.1'));
  t.notOk(isBanned('192.0.2.2'));
});

t.test('other responses do not count, nor do they make up for anything', async (t) => {
  const { note, isBanned } = banning();
  note('192.0.2.1', 200, 403, 400, 402, 499, 600, 304, 404, 404);
  t.notOk(isBanned('192.0.2.1'));
  note('192.0.2.1', 200, 404);
  t.ok(isBanned('192.0.2.1'));
});

t.test('only what lies within the time counts, to the millisecond', async (t) => {
  const { note, isBanned, clock } = banning();
  note('192.0.2.1', 404);
  clock.advance(30_000);
  note('192.0.2.1', 404);
  clock.advance(30_001);
  note('192.0.2.1', 404);
  t.notOk(isBanned('192.0.2.1'));
  clock.advance(29_999);
  note('192.0.2.1', 404);
  t.ok(isBanned('192.0.2.1'));
});

t.test('a ban ends by itself, and the record is clean again', async (t) => {
  const { note, isBanned, clock } = banning();
  note('192.0.2.1', 404, 404, 404);
  clock.advance(599_999);
  t.ok(isBanned('192.0.2.1'));
  clock.advance(1);
  t.notOk(isBanned('192.0.2.1'));
  note('192.0.2.1', 404, 404);
  t.notOk(isBanned('192.0.2.1'));
  note('192.0.2.1', 404);
  t.ok(isBanned('192.0.2.1'));
});

t.test('responses during a ban do not prolong it', async (t) => {
  const { note, isBanned, clock } = banning({ status: [{ from: 403, to: 403 }] });
  note('192.0.2.1', 403, 403, 403);
  for (let i = 0; i < 6; i++) {
    clock.advance(99_999);
    note('192.0.2.1', 403, 403, 403);
  }
  t.ok(isBanned('192.0.2.1'));
  clock.advance(6);
  t.notOk(isBanned('192.0.2.1'));
});

t.test('IPv6 clients are banned by /64', async (t) => {
  const { note, isBanned } = banning();
  note('2001:db8::1', 404);
  note('2001:db8::2', 404);
  note('2001:db8::ffff:3', 404);
  t.ok(isBanned('2001:db8::4'));
  t.notOk(isBanned('2001:db8:0:1::1'));
});

t.test('with count: 1 one offence leads to a ban', async (t) => {
  const { note, isBanned } = banning({ count: 1 });
  note('192.0.2.1', 404);
  t.ok(isBanned('192.0.2.1'));
});

t.test('records and bans are held in bounded memory', async (t) => {
  const records = banning({ count: 200 });
  for (let i = 0; i < 30_000; i++) records.note(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 404);
  t.ok(records.clients.offences.size <= 5000, `${records.clients.offences.size} records of 200`);
  const bans = banning({ count: 1 });
  for (let i = 0; i < 250_000; i++) bans.note(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 404);
  const standing = bans.clients.bans.countAt(bans.clock.now());
  t.ok(standing <= 131_072 && standing > 120_000, `${standing} bans`);
  t.ok(bans.isBanned('10.3.208.143'), 'the last one');
});

t.test('a ban begins exactly when the offences are dense enough, and lasts exactly its time', async () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 40 }), offends: fc.boolean() });
  const config = { count: 3, within: 50, for: 100 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { note, isBanned, clock } = banning(config);
      let offences: number[] = [];
      let until = 0;
      return steps.every(({ wait, offends }) => {
        clock.advance(wait);
        const now = clock.now();
        note('192.0.2.1', offends ? 404 : 200);
        if (offends && now >= until) {
          offences = [...offences, now].filter((at) => now - at <= config.within);
          if (offences.length >= config.count) {
            until = now + config.for;
            offences = [];
          }
        }
        return isBanned('192.0.2.1') === now < until;
      });
    }),
    { numRuns: 1000 },
  );
});
