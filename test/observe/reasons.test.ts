import t from 'tap';
import { REASONS } from '../../lib/observe/reasons.js';

t.test('every reason fits its line', async (t) => {
  for (const [reason, { meaning, remedy }] of Object.entries(REASONS)) {
    t.match(reason, /^[a-z_]{1,21}$/);
    t.match(meaning, /^[a-z].{10,100}[^.]$/, `${reason}: a phrase`);
    t.match(remedy, /^[A-Z].{10,110}[.?]$/, `${reason}: a sentence`);
  }
});
