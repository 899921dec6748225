import t from 'tap';
import { FAILURES } from '../../lib/base/failure.js';

t.test('every reason fits its line of 80 columns', async (t) => {
  for (const [reason, { meaning, remedy }] of Object.entries(FAILURES)) {
    t.match(reason, /^[a-z_]{1,21}$/);
    t.match(meaning, /^[a-z].*[^.]$/, `${reason}: a phrase`);
    t.ok(`          ${reason}: ${meaning}`.length <= 80, `${reason}: as the dev line shows it`);
    t.match(remedy, /^[A-Z].{10,110}[.?]$/, `${reason}: a sentence`);
  }
});
