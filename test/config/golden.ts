import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Compiled tests run from `dist/test/config/`; the fixtures lie beside `dist/`. */
export const folder = new URL('../../../fixtures/config/', import.meta.url).pathname;

// Git knows no such mode, and a key that everybody may read is warned of.
chmodSync(join(folder, 'lb.key'), 0o600);

export interface Golden {
  readonly name: string;
  /** The text of the YAML file. */
  readonly text: string;
  /** What the file beside it says; with UPDATE_GOLDEN set, `actual` is written there and is right. */
  expected(actual: string): string;
}

/** Every `*.yaml` of a part of `fixtures/config/`, with what stands beside it. */
export function goldens(name: 'good' | 'bad', extension: 'json' | 'txt'): Golden[] {
  const path = join(folder, name);
  const files = readdirSync(path).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => {
    const expectedFile = join(path, file.replace(/yaml$/, extension));
    return {
      name: file,
      text: readFileSync(join(path, file), 'utf8'),
      expected(actual) {
        if (process.env.UPDATE_GOLDEN) writeFileSync(expectedFile, actual);
        return existsSync(expectedFile) ? readFileSync(expectedFile, 'utf8') : 'no such file';
      },
    };
  });
}

/** The environment every fixture is read with. */
export const env = { LB_PORT: '9000', APP_HOST: 'app.internal', RISE: '4', EMPTY: '' };
