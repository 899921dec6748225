import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { RetryBudget } from '../../lib/exchange/retries.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { lockWord, unlockWord } from '../../lib/shared/word-lock.js';
import { startCrowd } from './crowd.js';
import { hashOf, monotonic, OFFENDER, TERMS } from './tasks.js';

t.setTimeout(120_000);

t.test('threads that are ended in the midst of their work hold up nobody', async (t) => {
  for (let round = 0; round < 6; round++) {
    const shared = SharedMemory.create(4);
    const part = { clients: 50 };
    const crowd = await startCrowd(t, shared, 'useAll', [part, part, part]);
    await pause(20 + Math.random() * 30);
    for (const { worker, thread } of crowd) {
      await worker.terminate();
      shared.reclaim(thread);
    }
    const { clients } = shared;
    const hash = hashOf(shared);
    let longest = 0;
    for (let i = 0; i < 1000; i++) {
      const from = monotonic();
      const client = hash.ofText(`${i}`);
      clients.rates.take(client, TERMS, 1e9);
      clients.places.enter(client, 3);
      clients.places.leave(client);
      clients.bindings.note(client, 1, 1, 0);
      longest = Math.max(longest, monotonic() - from);
    }
    // A lock that is not returned is waited for a second. All of these together may take longer on a busy machine.
    t.ok(longest < 900, `no lock was waited for: ${longest} ms`);
    t.equal(clients.places.size, 0);
    t.equal(clients.connections.total, 0);
    const budget = new RetryBudget(0, clients.retries, 'group 1');
    t.ok(budget.take(1e9));
    clients.bans.add(hash, OFFENDER, 2e9, 1e9);
    t.ok(clients.bans.isBanned(hash.ofClient(OFFENDER), 1e9));
    t.equal([...clients.bans.list(hash, 1e9)].length, 1);
  }
});

t.test(
  'a lock that is never returned is taken over after a second, and one of the same thread at once',
  async (t) => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    lockWord(words, 0, 7);
    let from = monotonic();
    lockWord(words, 0, 7);
    t.ok(monotonic() - from < 900);
    from = monotonic();
    lockWord(words, 0, 3);
    const waited = monotonic() - from;
    t.ok(waited >= 900, `${waited} ms`);
    unlockWord(words, 0, 7);
    t.equal(words[0], 3, 'the thread that comes back late takes nothing from it');
    unlockWord(words, 0, 3);
    t.equal(words[0], 0);
  },
);
