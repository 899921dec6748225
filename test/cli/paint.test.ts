import t from 'tap';
import { createPaint, wantsColour } from '../../lib/cli/paint.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { MemoryStream } from './support.js';

t.test('colour is decided by --no-color, NO_COLOR, FORCE_COLOR and the stream, in this order', async (t) => {
  const cases: [wanted: boolean, allowed: boolean, isTty: boolean, env: NodeJS.ProcessEnv][] = [
    [true, true, true, {}],
    [false, true, false, {}],
    [false, true, true, { TERM: 'dumb' }],
    [true, true, false, { FORCE_COLOR: '1' }],
    [true, true, false, { FORCE_COLOR: '', TERM: 'dumb' }],
    [false, true, true, { FORCE_COLOR: '0' }],
    [false, true, true, { FORCE_COLOR: '1', NO_COLOR: '1' }],
    [true, true, true, { NO_COLOR: '' }],
    [false, true, true, { NO_COLOR: '0' }],
    [false, false, true, { FORCE_COLOR: '1' }],
  ];
  for (const [wanted, allowed, isTty, env] of cases) {
    t.equal(wantsColour({ allowed, isTty, env }), wanted, JSON.stringify({ allowed, isTty, env }));
  }
});

t.test('without colour every text stays as it is', async (t) => {
  for (const tint of Object.values(createPaint(false))) t.equal(tint('text'), 'text');
  for (const tint of Object.values(createPaint(true))) t.match(tint('text'), /^\x1b\[\d+mtext\x1b\[\d+m$/);
});

t.test('each stream has its own colours', async (t) => {
  const options = { colour: true, env: {} };
  t.match(new Terminal(new MemoryStream(true), options).paint.red('x'), '\x1b[31m');
  t.equal(new Terminal(new MemoryStream(false), options).paint.red('x'), 'x');
});

t.test('a terminal', async (t) => {
  t.test('says nothing more once its reader is gone', async (t) => {
    const stream = new MemoryStream();
    const terminal = new Terminal(stream, { colour: true, env: {} });
    terminal.write('a');
    stream.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    terminal.write('b');
    t.equal(stream.text, 'a');
  });

  t.test('drops text rather than keep it for a reader that stopped reading', async (t) => {
    const stream = new MemoryStream();
    const terminal = new Terminal(stream, { colour: true, env: {} });
    stream.writableLength = 64 * 1024 * 1024;
    terminal.write('a');
    stream.writableLength = 0;
    terminal.write('b');
    t.equal(stream.text, 'b');
  });
});
