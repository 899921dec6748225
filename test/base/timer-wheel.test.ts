import fc from 'fast-check';
import t from 'tap';
import { Deadline, type DeadlineOwner, TimerWheel } from '../../lib/base/timer-wheel.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { ManualClock } from '../support/manual-clock.js';

const TICK = 50;
/** One turn of the wheel. */
const TURN = 512 * TICK;

class Owner implements DeadlineOwner {
  readonly fired: number[] = [];
  readonly deadline: Deadline;
  onFire: () => void = () => {};
  readonly #wheel: TimerWheel;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
    this.deadline = new Deadline(wheel, this);
  }

  onDeadline(): void {
    this.fired.push(this.#wheel.now);
    this.onFire();
  }
}

function start(): { clock: ManualClock; wheel: TimerWheel; owner: () => Owner } {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, TICK);
  return { clock, wheel, owner: () => new Owner(wheel) };
}

/** A wheel whose ticks come when they are called for: after a `tick(ms)` in which nothing else could. */
function stalled(): { clock: { now: number }; wheel: TimerWheel; tick: (ms: number) => void } {
  const clock = { now: 1000 };
  let turn = (): void => {};
  const every = (_: number, callback: () => void): (() => void) => {
    turn = callback;
    return () => {};
  };
  const wheel = new TimerWheel({ now: () => clock.now, wall: () => 0, every }, TICK);
  const tick = (ms: number): void => {
    clock.now += ms;
    turn();
  };
  return { clock, wheel, tick };
}

t.test('a deadline fires once, between its time and two ticks after', async (t) => {
  for (const ms of [1, 49, 50, 51, 99, 100, 101, 999, TURN - 1, TURN, TURN + 1, 3 * TURN + 7, 3_600_000]) {
    const { clock, wheel, owner } = start();
    const it = owner();
    it.deadline.arm(ms);
    const due = wheel.now + ms;
    clock.advance(ms - 1);
    t.same(it.fired, [], `${ms} ms: not before`);
    clock.advance(1 + 2 * TICK);
    t.equal(it.fired.length, 1, `${ms} ms`);
    t.ok((it.fired[0] ?? 0) >= due && (it.fired[0] ?? 0) <= due + 2 * TICK);
    t.notOk(it.deadline.armed);
    clock.advance(2 * TURN);
    t.equal(it.fired.length, 1);
  }
});

t.test('a deadline armed between two ticks is never early', async (t) => {
  for (const ms of [1, 20, 999, 1000, TURN]) {
    const { clock, owner } = start();
    const it = owner();
    clock.advance(TICK - 1);
    it.deadline.arm(ms);
    const due = clock.now() + ms;
    clock.advance(ms + 2 * TICK);
    t.equal(it.fired.length, 1, `${ms} ms`);
    t.ok((it.fired[0] ?? 0) >= due, `${ms} ms: at ${(it.fired[0] ?? 0) - due}`);
  }
});

t.test('a deadline armed at the end of a long tick of the event loop has all of its time', async (t) => {
  const { clock, tick, wheel } = stalled();
  const [exact, given, rough] = [new Owner(wheel), new Owner(wheel), new Owner(wheel)];
  clock.now += 1100;
  exact.deadline.arm(1000);
  given.deadline.armFrom(wheel.clock.now(), 1000);
  rough.deadline.armRoughly(1000);
  tick(0);
  t.same([exact.fired.length, given.fired.length], [0, 0]);
  t.equal(rough.fired.length, 1, 'what only tidies up may be early by the length of that turn');
  for (let waited = 0; waited < 950; waited += TICK) tick(TICK);
  t.same([exact.fired.length, given.fired.length], [0, 0]);
  for (let waited = 0; waited < 3 * TICK; waited += TICK) tick(TICK);
  t.same([exact.fired.length, given.fired.length], [1, 1]);
});

t.test('a deadline that is armed again counts anew, later or sooner', async (t) => {
  const { clock, owner } = start();
  const it = owner();
  it.deadline.arm(1000);
  for (let i = 0; i < 50; i++) {
    clock.advance(900);
    it.deadline.arm(1000);
  }
  t.same(it.fired, []);
  it.deadline.arm(100);
  clock.advance(200);
  t.equal(it.fired.length, 1);
  it.deadline.arm(TURN * 2);
  it.deadline.arm(60);
  clock.advance(160);
  t.equal(it.fired.length, 2);
});

t.test('arming a deadline for later does not move it in the wheel', async (t) => {
  const { clock, owner } = start();
  const it = owner();
  it.deadline.arm(1000);
  const { linkedTick } = it.deadline;
  clock.advance(500);
  it.deadline.arm(1000);
  t.equal(it.deadline.linkedTick, linkedTick);
  clock.advance(600);
  t.not(it.deadline.linkedTick, linkedTick, 'until its old slot comes round');
  t.same(it.fired, []);
});

t.test(
  'a deadline that is disarmed, or armed with 0, does not fire, and leaves its slot when that is due',
  async (t) => {
    const { clock, owner } = start();
    const [one, two] = [owner(), owner()];
    one.deadline.arm(100);
    one.deadline.disarm();
    two.deadline.arm(100);
    two.deadline.arm(0);
    clock.advance(TURN);
    t.same([one.fired, two.fired], [[], []]);
    t.equal(one.deadline.linkedTick, -1);
    one.deadline.arm(100);
    clock.advance(200);
    t.equal(one.fired.length, 1, 'and can be armed again');
  },
);

t.test('a released deadline leaves the wheel at once', async (t) => {
  const { clock, owner } = start();
  for (const which of [0, 1, 2]) {
    const owners = [owner(), owner(), owner()];
    for (const { deadline } of owners) deadline.arm(500);
    const gone = owners[which] as Owner;
    gone.deadline.release();
    t.equal(gone.deadline.linkedTick, -1);
    t.equal(gone.deadline.next, null);
    t.equal(gone.deadline.previous, null);
    clock.advance(600);
    t.same(
      owners.map(({ fired }) => fired.length),
      [0, 1, 2].map((i) => (i === which ? 0 : 1)),
    );
    gone.deadline.release();
  }
});

t.test('a deadline that fires may release, disarm or arm itself and others that are due', async (t) => {
  const { clock, owner } = start();
  const owners = Array.from({ length: 4 }, owner);
  for (const it of owners) it.deadline.arm(100);
  let first: Owner | null = null;
  for (const it of owners) {
    it.onFire = () => {
      if (first !== null) return;
      first = it;
      it.deadline.arm(100);
      const [a, b, c] = owners.filter((other) => other !== it) as [Owner, Owner, Owner];
      a.deadline.release();
      b.deadline.disarm();
      c.deadline.arm(1000);
    };
  }
  clock.advance(210);
  t.equal(
    owners.reduce((sum, { fired }) => sum + fired.length, 0),
    1,
  );
  clock.advance(100);
  t.equal((first as Owner | null)?.fired.length, 2, 'it armed itself');
  clock.advance(1000);
  t.same(owners.map(({ fired }) => fired.length).sort(), [0, 0, 1, 2]);
});

t.test('after a long stall all that passed fire, and none that did not', async (t) => {
  for (const stall of [TURN - TICK, TURN, TURN + TICK, 10 * TURN]) {
    const { tick, wheel } = stalled();
    const passed = Array.from({ length: 20 }, (_, i) => ({ it: new Owner(wheel), ms: 1 + (i * stall) / 21 }));
    const ahead = Array.from({ length: 20 }, (_, i) => ({
      it: new Owner(wheel),
      ms: stall + 100 + i * 1000,
    }));
    for (const { it, ms } of [...passed, ...ahead]) it.deadline.arm(ms);
    tick(stall + 2 * TICK);
    t.ok(passed.every(({ it }) => it.fired.length === 1));
    t.ok(ahead.every(({ it, ms }) => it.fired.length === 0 || ms <= stall + 2 * TICK));
    for (let i = 0; i < (20_000 + 4 * TICK) / TICK; i++) {
      tick(TICK);
    }
    t.ok(ahead.every(({ it }) => it.fired.length === 1));
  }
});

t.test('a closed wheel fires nothing', async (t) => {
  const { clock, wheel, owner } = start();
  const it = owner();
  it.deadline.arm(100);
  wheel.close();
  clock.advance(TURN);
  t.same(it.fired, []);
});

t.test('any sequence of arming, disarming, releasing and waiting keeps every promise', async () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('arm' as const),
      who: fc.nat(4),
      ms: fc.oneof(fc.nat(300), fc.nat(60_000)),
    }),
    fc.record({
      what: fc.constantFrom('disarm' as const, 'release' as const),
      who: fc.nat(4),
      ms: fc.constant(0),
    }),
    fc.record({
      what: fc.constant('wait' as const),
      who: fc.constant(0),
      ms: fc.oneof(fc.nat(200), fc.nat(40_000)),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { clock, wheel, owner } = start();
      const owners = Array.from({ length: 5 }, owner);
      const due = owners.map(() => Number.POSITIVE_INFINITY);
      owners.forEach((it, i) => {
        it.onFire = () => {
          const at = due[i] as number;
          if (!(wheel.now >= at && wheel.now <= at + 2 * TICK))
            throw new Error(`due ${at}, fired ${wheel.now}`);
          due[i] = Number.POSITIVE_INFINITY;
        };
      });
      for (const { what, who, ms } of steps) {
        const { deadline } = owners[who] as Owner;
        if (what === 'wait') clock.advance(ms);
        else if (what === 'arm') deadline.arm(ms);
        else deadline[what]();
        if (what !== 'wait') due[who] = what === 'arm' && ms > 0 ? wheel.now + ms : Number.POSITIVE_INFINITY;
        const late = due.findIndex((at) => at + 2 * TICK < wheel.now);
        if (late !== -1) throw new Error(`due ${due[late]}, now ${wheel.now}`);
      }
    }),
    { numRuns: FUZZ_RUNS },
  );
});

t.test('input counts as read until the last tick that a read of the sockets has followed', async (t) => {
  const { clock, wheel } = start();
  t.equal(wheel.readUntil, 1000);
  clock.advance(TICK * 3 + 10);
  t.equal(wheel.readUntil, 1000, 'no socket was read since');
  const untilThen = await new Promise((resolve) => setImmediate(() => resolve(wheel.readUntil)));
  t.equal(untilThen, 1000 + TICK * 3);
  await new Promise((resolve) => {
    setImmediate(() => {
      clock.advance(TICK);
      // Still in the same turn of the event loop, which reads no socket after this tick.
      process.nextTick(resolve);
    });
  });
  t.equal(wheel.readUntil, 1000 + TICK * 3);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(wheel.readUntil, 1000 + TICK * 4);
});

t.test('a deadline that is armed with NaN is refused and stays as it was', async (t) => {
  const { clock, owner } = start();
  const it = owner();
  it.deadline.arm(100);
  t.throws(() => it.deadline.arm(Number.NaN), { name: 'RangeError' });
  clock.advance(300);
  t.equal(it.fired.length, 1);
  it.deadline.arm(Number.POSITIVE_INFINITY);
  t.notOk(it.deadline.armed, 'a deadline in an infinite time is none');
});
