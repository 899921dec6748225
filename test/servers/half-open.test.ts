import t from 'tap';
import { HalfOpen } from '../../lib/servers/slow-start.js';

t.test('a half-open server has room for one request at a time, any other for any number', async (t) => {
  const trial = new HalfOpen();
  t.equal(trial.hasRoom(1000, true, 0), true);
  trial.begin(0, 0);
  t.equal(trial.hasRoom(0, true, 0), true);
  t.equal(trial.hasRoom(1, true, 0), false);
  t.equal(trial.hasRoom(0, true, 0), true);
  trial.end();
  t.equal(trial.hasRoom(1, true, 0), true);
});

t.test('tunnels from before the half-open state take no room, whether they stay or end', async (t) => {
  const trial = new HalfOpen();
  trial.begin(3, 0);
  t.equal(trial.hasRoom(3, true, 0), true);
  t.equal(trial.hasRoom(4, true, 0), false, 'a request is in flight');
  t.equal(trial.hasRoom(2, true, 0), true, 'the request has ended, and a tunnel too');
  t.equal(trial.hasRoom(3, true, 0), false, 'the end of a tunnel makes no room for a second request');
});

t.test('a request that may not be sent twice is not a trial, unless there is no other', async (t) => {
  const trial = new HalfOpen();
  trial.begin(0, 1000);
  t.equal(trial.hasRoom(0, false, 5900), false);
  t.equal(trial.hasRoom(0, true, 1000), true);
  t.equal(trial.hasRoom(0, false, 6000), true);
  t.equal(trial.hasRoom(1, false, 6000), false);
});
