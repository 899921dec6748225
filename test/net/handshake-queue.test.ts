import t from 'tap';
import { HandshakeQueue } from '../../lib/net/handshake-queue.js';

class Fake {
  begun = false;
  abandoned = false;
  readonly #onRun: () => void;
  readonly #isThere: boolean;

  constructor(onRun: () => void = () => {}, isThere = true) {
    this.#onRun = onRun;
    this.#isThere = isThere;
  }

  run(): boolean {
    this.begun = true;
    this.#onRun();
    return this.#isThere;
  }

  abandon(): void {
    this.abandoned = true;
  }
}

t.test('one tick begins handshakes for 4 ms, and at least one', (t) => {
  let now = 0;
  const queue = new HandshakeQueue(() => now);
  const costs = [1, 1, 1, 1, 1, 50, 1];
  const all = costs.map((ms) => new Fake(() => (now += ms)));
  for (const one of all) queue.push(one);
  const begun = (): number => all.filter((one) => one.begun).length;
  t.equal(begun(), 0, 'none within the read');
  t.equal(queue.takeUp(), true);
  t.equal(begun(), 4);
  t.equal(queue.takeUp(), true);
  t.equal(begun(), 6);
  t.equal(queue.takeUp(), false);
  t.equal(begun(), 7);
  t.end();
});

t.test('handshakes whose client has left cost no time of a tick', (t) => {
  const queue = new HandshakeQueue(() => 0);
  const gone = Array.from({ length: 1000 }, () => new Fake(undefined, false));
  const last = new Fake();
  for (const one of [...gone, last]) queue.push(one);
  t.equal(queue.takeUp(), false);
  t.equal(last.begun, true);
  t.end();
});

t.test('with 2,048 unfinished handshakes the oldest one gives way to another', (t) => {
  const queue = new HandshakeQueue(() => 0);
  const all = Array.from({ length: 2050 }, () => new Fake());
  const [first, second, third] = all as [Fake, Fake, Fake];
  for (const one of all.slice(0, 2048)) queue.noteBegun(one);
  t.equal(first.abandoned, false);
  queue.noteBegun(all[2048] as Fake);
  t.equal(first.abandoned, true);
  queue.noteFinished(second);
  queue.noteBegun(all[2049] as Fake);
  t.equal(third.abandoned, false, 'one that is done makes room');
  t.end();
});
