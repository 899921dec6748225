import t from 'tap';
import { complain, writeReport } from '../../lib/cli/complaint.js';
import { createPaint } from '../../lib/cli/paint.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { wrapWords } from '../../lib/cli/word-wrap.js';
import { MemoryStream } from './support.js';

t.test('a text is broken at spaces, and its other lines are indented', (t) => {
  t.equal(wrapWords('one two three four', 9), 'one two\nthree\nfour');
  t.equal(wrapWords('one two three four', 9, 2), 'one two\n  three\n  four');
  t.equal(wrapWords('one two', 7), 'one two', 'a line may be full');
  t.equal(wrapWords('one two', Number.POSITIVE_INFINITY, 2), 'one two', 'without a window nothing is broken');
  t.equal(wrapWords('', 7), '');
  t.end();
});

t.test('spaces at the beginning stay, and a word longer than a line stays whole', (t) => {
  t.equal(wrapWords('  one two', 7, 4), '  one\n    two');
  t.equal(wrapWords('  https://example.com/ two', 7, 2), '  https://example.com/\n  two');
  t.equal(wrapWords('one https://example.com/', 7), 'one\nhttps://example.com/');
  t.end();
});

t.test('colours take no room', (t) => {
  const { red } = createPaint(true);
  t.equal(wrapWords(`${red('one')} two three`, 7), `${red('one')} two\nthree`);
  t.equal(wrapWords(red('one two three'), 7), red('one two three').replace('two ', 'two\n'));
  t.end();
});

t.test('a complaint fits the window, and problems of a file stay as they are laid out', (t) => {
  const stream = new MemoryStream(true);
  stream.columns = 20;
  const stderr = new Terminal(stream, { colour: false, env: {} });
  complain(stderr, 'port 80 is in use by another program.');
  writeReport(stderr, 'lb: cannot read some.yaml: it is a folder.\n');
  writeReport(stderr, 'some.yaml:3:1  lisen: unknown key\n     3 | lisen: 1 # with a long comment\n');
  t.equal(
    stream.text,
    'lb: port 80 is in\n    use by another\n    program.\n' +
      'lb: cannot read\n    some.yaml: it is\n    a folder.\n' +
      'some.yaml:3:1 \n    lisen: unknown\n    key\n     3 | lisen: 1 # with a long comment\n',
  );
  t.end();
});

t.test('a terminal whose size nobody has set gets whole lines', (t) => {
  const stream = new MemoryStream(true);
  stream.columns = 0;
  stream.rows = 0;
  const stderr = new Terminal(stream, { colour: false, env: {} });
  complain(stderr, 'port 80 is in use by another program.');
  t.equal(stream.text, 'lb: port 80 is in use by another program.\n');
  t.equal(stderr.rows, 24, 'lb top fills them');
  t.end();
});
