import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { placesShape } from '../../lib/shared/client-places.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import { resultsOf, startCrowd } from './crowd.js';
import { hashOf } from './tasks.js';

t.test(
  'four threads that enter and leave never hold more places than the limit, and none at the end',
  async (t) => {
    const shared = SharedMemory.create(5);
    const part = { rounds: 100_000, limit: 5, held: new SharedArrayBuffer(4) };
    const crowd = await startCrowd(t, shared, 'occupy', [part, part, part, part]);
    t.strictSame(await resultsOf(crowd), [0, 0, 0, 0]);
    t.equal(shared.clients.places.size, 0);
    t.equal(new Int32Array(part.held)[0], 0);
  },
);

t.test('a thread that is ended at any moment gives its places back, and others keep theirs', async (t) => {
  const CLIENTS = 200;
  for (let round = 0; round < 5; round++) {
    const shared = SharedMemory.create(3);
    const { places, connections } = shared.clients;
    const hash = hashOf(shared);
    for (let i = 0; i < CLIENTS; i += 2) places.enter(hash.ofText(`client ${i}`), 1000);
    for (let i = 0; i < 3; i++) connections.enter(10);
    const part = { clients: CLIENTS, most: 10 };
    const [one, other] = await startCrowd(t, shared, 'hold', [part, part]);
    await pause(Math.random() * 30);
    await one?.worker.terminate();
    shared.reclaim(1);
    // The other one goes on, whatever the first held when it ended.
    const before = total();
    await pause(20);
    t.ok(total() !== before || total() > CLIENTS, 'the other thread is not stopped');
    await other?.worker.terminate();
    shared.reclaim(2);
    for (let i = 0; i < CLIENTS; i++)
      if (places.countOf(hash.ofText(`client ${i}`)) !== (i % 2 === 0 ? 1 : 0)) t.fail(`client ${i}`);
    t.equal(places.size, CLIENTS / 2);
    t.equal(connections.total, 3);

    function total(): number {
      let sum = 0;
      for (let i = 0; i < CLIENTS; i++) sum += places.countOf(hash.ofText(`client ${i}`));
      return sum;
    }
  }
});

t.test(
  'when the table is full a new client gets no place, and those who have one keep their limit',
  async (t) => {
    const shared = SharedMemory.create();
    const { places } = shared.clients;
    const hash = hashOf(shared);
    const { sets, ways } = placesShape(1);
    const inside: string[] = [];
    let firstRefused = 0;
    for (let i = 0; i < 2 * sets * ways; i++) {
      const client = `client ${i}`;
      if (places.enter(hash.ofText(client), 2)) inside.push(client);
      else if (firstRefused === 0) firstRefused = i;
    }
    t.ok(firstRefused > 0.65 * sets * ways, `the first was refused when ${firstRefused} were in`);
    t.ok(inside.length <= sets * ways && inside.length > 0.99 * sets * ways, `${inside.length}`);
    t.equal(places.size, inside.length);
    for (const client of inside.slice(0, 1000)) {
      t.ok(places.enter(hash.ofText(client), 2) && !places.enter(hash.ofText(client), 2), client);
      places.leave(hash.ofText(client));
    }
    places.leave(hash.ofText('client 200000 that never came'));
    for (const client of inside) places.leave(hash.ofText(client));
    t.equal(places.size, 0);
  },
);

t.test('places are those of a simple count, whichever thread takes and returns them', async () => {
  const step = fc.record({
    thread: fc.integer({ min: 0, max: 2 }),
    client: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'leave', 'end'),
  });
  const shared = SharedMemory.create(3);
  const threads = [shared, SharedMemory.attach(shared.handle, 1), SharedMemory.attach(shared.handle, 2)];
  let runs = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const hash = shared.clients.scopes.hashFor('a limit', [`run ${runs++}`]);
      const held = threads.map(() => [0, 0, 0, 0]);
      const sum = (client: number): number => held.reduce((all, own) => all + (own[client] as number), 0);
      return steps.every(({ thread, client, what }) => {
        const own = held[thread] as number[];
        const { places } = (threads[thread] as SharedMemory).clients;
        if (what === 'end') {
          shared.reclaim(thread);
          own.fill(0);
        } else if (what === 'leave') {
          places.leave(hash.ofText(`${client}`));
          own[client] = Math.max(0, (own[client] as number) - 1);
        } else {
          const isFree = sum(client) < 3;
          if (places.enter(hash.ofText(`${client}`), 3) !== isFree) return false;
          if (isFree) own[client]!++;
        }
        return [0, 1, 2, 3].every((each) => places.countOf(hash.ofText(`${each}`)) === sum(each));
      });
    }),
    { numRuns: 100 },
  );
});
