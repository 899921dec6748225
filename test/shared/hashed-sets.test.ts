import fc from 'fast-check';
import t from 'tap';
import { HashedSets, type SetsShape } from '../../lib/shared/hashed-sets.js';
import { KeyedHash } from '../../lib/shared/keyed-hash.js';

// Always the same key: with one in some hundred others a set is full before the table grows, and the next entry finds no room.
const hash = new KeyedHash(0x1a2b3c4d, 0x5e6f7081);

/** Puts an entry with a value into a table; false: its set is full. */
function put(sets: HashedSets, key: string, value: number): boolean {
  const digest = hash.ofText(key);
  let set = sets.enter(digest);
  let entry = sets.find(set, digest);
  const isUsed = (way: number): boolean => sets.isUsed(sets.firstOf(set) + way * sets.shape.entryWords);
  const ways = Array.from({ length: sets.shape.ways }, (_, way) => way);
  if (entry === -1 && ways.every(isUsed)) set = sets.makeRoom(set, digest);
  for (let way = 0; entry === -1 && way < sets.shape.ways; way++) {
    const free = sets.firstOf(set) + way * sets.shape.entryWords;
    if (sets.isUsed(free)) continue;
    entry = free;
    sets.words[entry + 2] = value;
    sets.mark(entry, digest);
  }
  sets.leave(set);
  return entry !== -1;
}

/** Its value, or -1. */
function get(sets: HashedSets, key: string): number {
  const digest = hash.ofText(key);
  const set = sets.enter(digest);
  const entry = sets.find(set, digest);
  const value = entry === -1 ? -1 : (sets.words[entry + 2] as number);
  sets.leave(set);
  return value;
}

const SHAPE: SetsShape = { sets: 1024, ways: 8, entryWords: 4, perSet: 2 };

t.test('a table grows with its entries, one set at a time, and loses none', async (t) => {
  const sets = new HashedSets(SHAPE, null, 0);
  t.equal(sets.setCount, 0, 'without memory as long as it is empty');
  let inside = 0;
  for (let i = 0; i < 4000; i++) {
    if (put(sets, `key ${i}`, i)) inside++;
    // More than entries ask for, where one set was full before its turn.
    if (sets.setCount > Math.max(128, 1.3 * inside)) t.fail(`${sets.setCount} sets for ${inside} entries`);
  }
  t.equal(sets.setCount, 1024);
  let found = 0;
  for (let i = 0; i < 4000; i++) {
    const value = get(sets, `key ${i}`);
    if (value !== -1 && value !== i) t.fail(`key ${i}`);
    if (value === i) found++;
  }
  t.equal(found, inside);
  t.ok(inside > 3900, `${inside} of 4000 found room`);
});

t.test('a table is that of a simple map while its sets are not full', async () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 300 }),
    what: fc.constantFrom('put', 'put', 'get', 'clear'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const memory = HashedSets.memory({ ...SHAPE, ways: 16 });
      const threads = [0, 1].map((thread) => new HashedSets({ ...SHAPE, ways: 16 }, memory, thread));
      const map = new Map<string, number>();
      return steps.every(({ key, what }, i) => {
        const sets = threads[i % 2] as HashedSets;
        const name = `key ${key}`;
        if (what === 'put') {
          put(sets, name, key);
          map.set(name, key);
        } else if (what === 'clear') {
          const digest = hash.ofText(name);
          const set = sets.enter(digest);
          const entry = sets.find(set, digest);
          if (entry !== -1) sets.clear(entry);
          sets.leave(set);
          map.delete(name);
        }
        return get(sets, name) === (map.get(name) ?? -1);
      });
    }),
    { numRuns: 100 },
  );
});

t.test('a thread that ended while it added a set leaves each entry once', async (t) => {
  // So large that it can always grow.
  const LARGE = { ...SHAPE, sets: 1 << 13 };
  const memory = HashedSets.memory(LARGE);
  const dead = new HashedSets(LARGE, memory, 1);
  const sets = new HashedSets(LARGE, memory, 0);
  for (let i = 0; i < 400; i++) put(dead, `key ${i}`, i);
  const before = sets.setCount;
  // It ends when what moves has been copied, before the new set is in use.
  const store = Atomics.store;
  Atomics.store = () => {
    throw new Error('ended');
  };
  t.throws(() => {
    for (let i = 400; i < 2000; i++) put(dead, `key ${i}`, i);
  }, /ended/);
  Atomics.store = store;
  t.equal(sets.setCount, before);
  sets.reclaim(1);
  let entries = 0;
  for (const set of sets.sets())
    for (let way = 0; way < SHAPE.ways; way++)
      if (sets.isUsed(sets.firstOf(set) + way * SHAPE.entryWords)) entries++;
  for (let i = 0; i < entries; i++) if (get(sets, `key ${i}`) !== i) t.fail(`key ${i}`);
  for (let i = entries; i < 2500; i++) put(sets, `key ${i}`, i);
  t.ok(sets.setCount > before, 'another thread goes on');
  for (let i = 0; i < 2500; i++) if (get(sets, `key ${i}`) !== i) t.fail(`key ${i}`);
});
