import t from 'tap';
import { createConfig, loadConfig } from '../../lib/config/config.js';
import { renderProblems } from '../../lib/config/problems.js';
import type { Config } from '../../lib/config/types.js';
import { env, goldens } from './golden.js';

t.test('a bad file is refused with every problem in it', async (t) => {
  for (const { name, text, expected } of goldens('bad', 'txt')) {
    const result = loadConfig(text, { env });
    const actual = result.ok ? 'accepted\n' : renderProblems(result.problems, { file: name, text });
    t.equal(actual, expected(actual), name);
  }
});

t.test('a good file compiles to what it means', async (t) => {
  for (const { name, text, expected } of goldens('good', 'json')) {
    const result = loadConfig(text, { env });
    const actual = result.ok
      ? toJson(
          name === 'empty.yaml' ? result.config : differences(result.config),
          result.warnings.map(toLine),
        )
      : renderProblems(result.problems, { file: name, text });
    t.equal(actual, expected(actual), name);
  }
});

function toLine({ line, path, message }: { line: number; path: string; message: string }): string {
  return `${line} ${path}: ${message}`;
}

/** The defaults stand in `empty.json`; every other file shows what it changes. */
function differences(config: Config): Partial<Config> {
  const defaults = Object.entries(createConfig());
  const isDefault = ([key, value]: [string, unknown]): boolean =>
    defaults.some(([name, other]) => name === key && JSON.stringify(other) === JSON.stringify(value));
  return Object.fromEntries(Object.entries(config).filter((entry) => !isDefault(entry)));
}

function toJson(config: Partial<Config>, warnings: readonly string[]): string {
  return `${JSON.stringify(warnings.length > 0 ? { ...config, warnings } : config, null, 2)}\n`;
}
