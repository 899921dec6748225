import t from 'tap';
import { loadConfig } from '../../lib/config/config.js';
import { renderProblems } from '../../lib/config/problems.js';
import { env, folder, goldens } from './golden.js';
import { meaning, write } from './meaning.js';

t.test('a bad file is refused with every problem in it', async (t) => {
  const files = goldens('bad', 'txt');
  t.ok(files.length >= 40, 'there are such files');
  for (const { name, text, expected } of files) {
    const result = loadConfig(text, { env, directory: folder });
    const actual = result.ok ? 'accepted\n' : renderProblems(result.problems, { file: name, text });
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
    t.equal(actual, expected(actual), name);
  }
});

function toLine({ line, path, message }: { line: number; path: string; message: string }): string {
  return `${line} ${path}: ${message}`;
}

function toJson(config: object, warnings: readonly string[]): string {
  return `${write(warnings.length > 0 ? { ...config, warnings } : config)}\n`;
}
