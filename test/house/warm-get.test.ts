import t from 'tap';
import { countWarmGet } from '../trace/count.js';

/** What was reached. A change that needs more says why; one that needs less lowers the number. `make trace` shows the chain. */
const MOST_FILES = 35;
const MOST_CALLS = 300;

t.test('one warm keep-alive GET runs through no more files and calls of lib/ than before', async (t) => {
  const { files, calls, byFile } = await countWarmGet();
  t.ok(files > 0 && files <= MOST_FILES, `${files} files, at most ${MOST_FILES}`);
  t.ok(
    calls > 0 && calls <= MOST_CALLS,
    `${calls} calls, at most ${MOST_CALLS}: ${byFile.slice(0, 8).join(' ')}`,
  );
});
