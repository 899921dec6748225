import t from 'tap';
import { Terminal } from '../../lib/cli/terminal.js';
import { MemoryStream } from './support.js';

const MIB = 1024 * 1024;

function terminal(): { stream: MemoryStream; written: Terminal } {
  const stream = new MemoryStream();
  return { stream, written: new Terminal(stream, { colour: false, env: {} }) };
}

t.test(
  'lines for a reader that does not read are dropped, counted, and reported where they are missing',
  async (t) => {
    const { stream, written } = terminal();
    written.write('one\n');
    stream.writableLength = MIB + 1;
    written.write('two\n');
    written.write('three\nfour\n');
    stream.writableLength = MIB - 1;
    written.write('five\n');
    t.equal(stream.text, 'one\n', 'no line here and a line there');
    stream.writableLength = MIB / 2;
    written.write('six\n');
    t.equal(stream.text, 'one\n(4 lines are missing here: the reader was too slow)\nsix\n');
    t.equal(written.dropped, 4);
    written.write('seven\n');
    t.match(stream.text, /six\nseven\n$/, 'said once');
  },
);

t.test('missing lines are reported as soon as the reader has caught up', async (t) => {
  const { stream, written } = terminal();
  stream.writableLength = MIB + 1;
  written.write('lost\n');
  stream.writableLength = 0;
  stream.emit('drain');
  t.equal(stream.text, '(1 line is missing here: the reader was too slow)\n');
  stream.emit('drain');
  t.equal(written.dropped, 1);
  t.equal(stream.text.split('\n').length, 2);
});

t.test('a full disk costs what it does not take, and not what comes later', async (t) => {
  const { stream, written } = terminal();
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  written.write('kept\n');
  for (const line of ['a\n', 'b\n']) {
    written.write(line);
    stream.emit('error', full);
  }
  stream.text = '';
  written.write('c\n');
  t.equal(stream.text, '(2 lines are missing here: the reader was too slow)\nc\n');
  t.equal(written.dropped, 2);
});

t.test('a reader that is gone ends the writing', async (t) => {
  for (const code of ['EPIPE', 'EIO']) {
    const { stream, written } = terminal();
    stream.emit('error', Object.assign(new Error(code), { code }));
    written.write('a\nb\n');
    t.equal(stream.text, '');
    t.equal(written.dropped, 2);
  }
});
