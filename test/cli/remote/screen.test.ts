import { EventEmitter } from 'node:events';
import t from 'tap';
import { type Keyboard, Screen } from '../../../lib/cli/remote/screen.js';
import { Terminal } from '../../../lib/cli/terminal.js';
import { MemoryStream } from '../support.js';

class Keys extends EventEmitter implements Keyboard {
  readonly isTTY = true;
  raw = false;
  paused = true;

  setRawMode(raw: boolean): void {
    this.raw = raw;
  }

  resume(): void {
    this.paused = false;
  }

  pause(): void {
    this.paused = true;
  }
}

function stage() {
  const stream = new MemoryStream(true);
  const terminal = new Terminal(stream, { colour: false, env: {} });
  const keyboard = new Keys();
  const signals = new EventEmitter();
  let next: () => void = () => {};
  const pause = (_ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      next = resolve;
      signal?.addEventListener('abort', () => resolve());
    });
  const screen = new Screen({ terminal, keyboard, signals, pause });
  return { stream, keyboard, signals, screen, next: () => next() };
}

const RESTORED = /\x1b\[\?25h\x1b\[\?1049l$/;

t.test('lb top redraws until q', async (t) => {
  const { stream, keyboard, screen, next } = stage();
  let drawn = 0;
  const running = screen.run(async () => [`look ${++drawn}`, 'line'], 1000);
  await stream.has(/look 1\x1b\[K\r\nline\x1b\[K\x1b\[J/);
  t.ok(keyboard.raw);
  next();
  await stream.has(/look 2/);
  keyboard.emit('data', Buffer.from('xq'));
  await running;
  t.match(stream.text, RESTORED);
  t.notOk(keyboard.raw);
  t.ok(keyboard.paused);
  t.equal(keyboard.listenerCount('data'), 0);
});

t.test('Ctrl-C and signals leave it too, even while it waits for what to draw', async (t) => {
  for (const leave of ['key', 'SIGINT', 'SIGTERM', 'SIGHUP']) {
    const { stream, keyboard, signals, screen } = stage();
    const running = screen.run(() => new Promise(() => {}), 1000);
    if (leave === 'key') keyboard.emit('data', Buffer.from('\x03'));
    else signals.emit(leave);
    await running;
    t.match(stream.text, RESTORED, leave);
    t.same(signals.eventNames(), []);
  }
});

t.test('the window is restored when there is nothing to draw any more', async (t) => {
  const { stream, keyboard, screen } = stage();
  await t.rejects(
    screen.run(() => Promise.reject(new Error('gone')), 1000),
    { message: 'gone' },
  );
  t.match(stream.text, RESTORED);
  t.notOk(keyboard.raw);
});

t.test('no more is shown than there is room for', async (t) => {
  const { stream, keyboard, screen } = stage();
  stream.rows = 2;
  stream.columns = 3;
  const running = screen.run(async () => ['one', '\x1b[1mtwo or\x1b[22m', 'three'], 1000);
  await stream.has(/\r\n\x1b\[1mtwo\x1b\[22m\x1b\[K\x1b\[J/);
  keyboard.emit('data', Buffer.from('Q'));
  await running;
  t.notMatch(stream.text, 'three');
});
