import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { StateFile } from '../../lib/cli/state-file.js';

t.test('the state file is for its owner alone, whatever lay there before', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-state-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'state.json');
  const modeOf = (): number => statSync(path).mode & 0o777;
  await (await StateFile.open(path, () => {})).close();
  t.equal(modeOf(), 0o600);
  chmodSync(path, 0o644);
  writeFileSync(`${path}.new`, 'left behind', { mode: 0o644 });
  chmodSync(`${path}.new`, 0o644);
  await (await StateFile.open(path, () => {})).close();
  t.equal(modeOf(), 0o600);
});
