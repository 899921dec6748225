import t from 'tap';
import { Trial } from '../../lib/backend/trial.js';

t.test('there is room for one request at a time, and for any number without a trial', async (t) => {
  const trial = new Trial();
  t.equal(trial.hasRoom(1000), true);
  trial.begin(0);
  t.equal(trial.hasRoom(0), true);
  t.equal(trial.hasRoom(1), false);
  t.equal(trial.hasRoom(0), true);
  trial.end();
  t.equal(trial.hasRoom(1), true);
});

t.test('tunnels from before the trial take no room, whether they stay or end', async (t) => {
  const trial = new Trial();
  trial.begin(3);
  t.equal(trial.hasRoom(3), true);
  t.equal(trial.hasRoom(4), false, 'a request is on it');
  t.equal(trial.hasRoom(2), true, 'that ended, and one tunnel too');
  t.equal(trial.hasRoom(3), false, 'which makes no room for a second request');
});
