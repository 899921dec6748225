import t from 'tap';
import { OutcomeWindow } from '../../../lib/control/health/outlier-detector.js';

t.test('the outcome window counts what is in it and forgets what is older', async (t) => {
  const window = new OutcomeWindow(1000);
  t.equal(window.badShare, 0, 'of nothing');
  window.note(true, 5000);
  window.note(false, 5050);
  window.note(false, 5950);
  t.match(window, { requests: 3, bad: 1 });
  t.equal(window.badShare, 1 / 3);
  window.note(false, 6000);
  t.match(window, { requests: 2, bad: 0 }, 'the first tenth has left the window');
  window.note(true, 6949);
  t.match(window, { requests: 2, bad: 1 }, 'the end of that second has left too');
});

t.test('the outcome window slides: it never forgets everything at once', async (t) => {
  const window = new OutcomeWindow(1000);
  let least = Number.POSITIVE_INFINITY;
  for (let now = 0; now < 5000; now += 10) {
    window.note(now % 20 === 0, now);
    if (now >= 1000) least = Math.min(least, window.requests);
    t.ok(window.requests <= 100);
  }
  t.ok(least >= 90, `${least} of at least 100`);
  t.equal(window.badShare, 0.5);
});

t.test('after a long silence the outcome window is empty', async (t) => {
  const window = new OutcomeWindow(1000);
  for (let i = 0; i < 10; i++) window.note(true, i * 100);
  window.note(false, 1_000_000);
  t.match(window, { requests: 1, bad: 0 });
  window.clear();
  t.match(window, { requests: 0, bad: 0 });
  window.note(true, 1_000_000);
  t.match(window, { requests: 1, bad: 1 });
});
