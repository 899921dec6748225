import t from 'tap';
import { decodeGraph, encodeGraph } from '../../lib/base/object-graph.js';
import { atOnce } from '../../lib/base/slices.js';
import { loadConfig } from '../../lib/config/config.js';
import { renderProblems } from '../../lib/config/problems.js';
import { env, folder, goldens } from './golden.js';
import { meaning, write } from './meaning.js';

t.test('a bad file is refused with every problem in it', async (t) => {
  const files = goldens('bad', 'txt');
  t.ok(files.length >= 40, 'there are such files');
  for (const { name, text, expected } of files) {
    const result = loadConfig(text, { env, directory: folder });
    const actual = result.ok
      ? 'accepted\n'
      : renderProblems(result.problems, { file: name, text, included: result.included });
    t.not(actual, 'accepted\n', `${name} is refused`);
    t.equal(actual, expected(actual), name);
  }
});

t.test('a good file compiles to what it means', async (t) => {
  const files = goldens('good', 'json');
  t.ok(files.length >= 20, 'there are such files');
  for (const { name, text, expected } of files) {
    const result = loadConfig(text, { env, directory: folder });
    const actual = result.ok
      ? toJson(
          name === 'empty.yaml' ? { ...result.config } : meaning(result.config),
          result.warnings.map(toLine),
        )
      : renderProblems(result.problems, { file: name, text });
    t.ok(result.ok, `${name} is accepted`);
    t.equal(actual, expected(actual), name);
  }
});

t.test(
  'a configuration is plain data: a copy in another thread, and one sent in chunks, are equal to it',
  async (t) => {
    for (const { name, text } of goldens('good', 'json')) {
      const result = loadConfig(text, { env, directory: folder });
      if (!result.ok) continue;
      t.strictSame(structuredClone(result.config), result.config, name);
      const chunks = structuredClone(encodeGraph(result.config));
      const left = chunks[Symbol.iterator]();
      const decoded = atOnce(decodeGraph(() => left.next().value ?? null));
      t.strictSame(decoded, result.config, name);
      t.ok(Object.isFrozen(decoded));
    }
  },
);

t.test('objects that a configuration shares are shared in its copy too', async (t) => {
  const shared = { servers: ['a'] };
  const left = encodeGraph({ one: shared, list: [shared, 1, null, undefined, 2n] })[Symbol.iterator]();
  const decoded = atOnce(decodeGraph(() => left.next().value ?? null)) as {
    readonly one: object;
    readonly list: readonly unknown[];
  };
  t.equal(decoded.one, decoded.list[0]);
  t.strictSame(decoded.list.slice(1), [1, null, undefined, 2n]);
});

function toLine({ line, path, message }: { line: number; path: string; message: string }): string {
  return `${line} ${path}: ${message}`;
}

function toJson(config: object, warnings: readonly string[]): string {
  const text = write(warnings.length > 0 ? { ...config, warnings } : config);
  return `${text.replaceAll(folder, '')}\n`;
}
