import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { ByteCache } from '../../../lib/observe/otlp/byte-cache.js';

interface Fruit {
  name: string;
  kilos: number;
}

/** A cache, and how often it has made a text. */
function fruitCache(): { cache: ByteCache<Fruit>; made: () => number } {
  let made = 0;
  const cache = new ByteCache<Fruit>(
    (one, other) => one.name === other.name && one.kilos === other.kilos,
    ({ name, kilos }) => {
      made++;
      return `${kilos} kg of ${name}`;
    },
  );
  return { cache, made: () => made };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

t.test('a text is made once for all that are alike', async (t) => {
  const { cache, made } = fruitCache();
  const asked = { name: 'mango', kilos: 1 };
  t.equal(textOf(cache.of('mango', '', asked)), '1 kg of mango');
  // The caller fills the same object anew.
  asked.kilos = 2;
  t.equal(textOf(cache.of('mango', '', asked)), '2 kg of mango');
  asked.kilos = 1;
  t.equal(textOf(cache.of('mango', '', asked)), '1 kg of mango');
  t.equal(
    textOf(cache.of('mango', '', { name: 'papaya', kilos: 1 })),
    '1 kg of papaya',
    'with the same keys',
  );
  t.equal(made(), 3);
});

t.test('a full cache begins anew, and answers the same', async (t) => {
  const { cache, made } = fruitCache();
  for (const round of [1, 2])
    for (let kilos = 0; kilos < 2000; kilos++) {
      const name = `fruit ${kilos}`;
      if (textOf(cache.of(name, '', { name, kilos })) !== `${kilos} kg of ${name}`) t.fail(`round ${round}`);
    }
  t.equal(made(), 4000, 'what came once is not kept for long');
  cache.of('fruit 1999', '', { name: 'fruit 1999', kilos: 1999 });
  t.equal(made(), 4000, 'the last is');
});

t.test('with the same keys a few are kept', async (t) => {
  const { cache, made } = fruitCache();
  for (let kilos = 0; kilos < 1000; kilos++) cache.of('mango', '', { name: 'mango', kilos });
  cache.of('mango', '', { name: 'mango', kilos: 999 });
  t.equal(made(), 1000, 'the last');
  cache.of('mango', '', { name: 'mango', kilos: 0 });
  t.equal(made(), 1001, 'not the first');
});

t.test('with one first key as many are kept as there are second keys', async (t) => {
  const { cache, made } = fruitCache();
  for (const _ of [1, 2, 3])
    for (let kilos = 0; kilos < 400; kilos++) cache.of('mango', kilos, { name: 'mango', kilos });
  t.equal(made(), 400);
});

t.test('a long text is made each time', async (t) => {
  const { cache, made } = fruitCache();
  const name = 'x'.repeat(10_000);
  for (const _ of [1, 2]) t.equal(cache.of(name, '', { name, kilos: 1 }).length, 10_008);
  t.equal(made(), 2);
});

t.test('a kept value does not keep the head that it is a part of', async (t) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { cache } = fruitCache();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let kilos = 0; kilos < 200; kilos++) {
    const head = Buffer.alloc(256 * 1024, `fruit number ${kilos}, `).toString('latin1');
    const name = head.slice(1, 20);
    cache.of(name, '', { name, kilos });
  }
  collectGarbage();
  const grown = process.memoryUsage().heapUsed - before;
  t.ok(grown < 8 * 1024 * 1024, `${grown} bytes of 50 MiB are kept`);
});
