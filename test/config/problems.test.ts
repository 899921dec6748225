import t from 'tap';
import { loadConfig } from '../../lib/config/config.js';
import { LineIndex } from '../../lib/config/line-index.js';
import { type Paint, renderProblems } from '../../lib/config/problems.js';
import { formatPath } from '../../lib/config/tree.js';

function render(text: string, paint?: Paint): string {
  const result = loadConfig(text, { env: {} });
  if (result.ok) return '';
  return renderProblems(result.problems, { file: 'lb.yaml', text, ...(paint && { paint }) });
}

t.test('a problem is shown with its place, its advice and its line', async (t) => {
  t.equal(
    render('listen: 8080\nseverrs:\n'),
    [
      'lb.yaml:2:1  severrs: unknown key. Did you mean servers?',
      '     2 | severrs:',
      '       | ^^^^^^^',
      '',
    ].join('\n'),
  );
});

t.test('of many problems the first are shown, and how many more there are', async (t) => {
  const servers = Array.from(
    { length: 5000 },
    (_, i) => `  - { address: "localhost:${1000 + i}", wieght: 1 }\n`,
  );
  const text = `servers:\n${servers.join('')}`;
  const result = loadConfig(text, { env: {} });
  const problems = result.ok ? [] : result.problems;
  const shown = renderProblems(problems, { file: 'lb.yaml', text, most: 20 });
  t.equal(shown.match(/unknown key/g)?.length, 20);
  t.match(shown, /lb\.yaml:2:[\s\S]*lb\.yaml:21:[\s\S]*\nand 4,980 more\n$/);
  t.notMatch(renderProblems(problems.slice(0, 20), { file: 'lb.yaml', text, most: 20 }), / more\n/);
});

t.test('colour is given by the caller', async (t) => {
  const tag = (name: string) => (text: string) => `<${name}>${text}</${name}>`;
  const paint = { place: tag('a'), path: tag('b'), hint: tag('c'), gutter: tag('d'), mark: tag('e') };
  t.equal(
    render('severrs:\n', paint),
    '<a>lb.yaml:1:1</a>  <b>severrs</b>: unknown key. <c>Did you mean servers?</c>\n' +
      '<d>     1 |</d> severrs:\n<d>       |</d> <e>^^^^^^^</e>\n',
  );
});

t.test('a long line is cut around what is meant', async (t) => {
  const lines = render(`servers: [${'localhost:1, '.repeat(40)}localhost]\n`).split('\n');
  const marked = lines[lines.length - 2]!;
  const frames = lines.filter((line) => line.slice(0, 8).endsWith('|'));
  t.ok(frames.length >= 2 && frames.every(({ length }) => length < 80), 'in a window of 80 columns');
  t.equal(lines[lines.length - 3]!.slice(marked.indexOf('^'), marked.lastIndexOf('^') + 1), 'localhost');
});

t.test('the mark stays under its word after a tab', async (t) => {
  t.match(render('listen:\tnope\n'), '     1 | listen: nope\n       |         ^^^^\n');
});

t.test('escape sequences of a file do not reach the terminal', async (t) => {
  t.notMatch(render('"\u009b31m": 1\nservers: ["\u0085"]\n'), /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});

t.test('a path reads as it is written in a program', async (t) => {
  t.equal(formatPath(['hosts', 0, 'header_rules', 'add', 'X-Client']), 'hosts[0].header_rules.add.X-Client');
  t.equal(formatPath(['replace', '/^a.b/']), 'replace["/^a.b/"]');
  t.equal(formatPath([]), '');
});

t.test('lines and columns are counted from one', async (t) => {
  const places = new LineIndex('ab\n\ncd');
  t.same(places.of({ start: 0, end: 1 }), { line: 1, column: 1, length: 1 });
  t.same(places.of({ start: 1, end: 6 }), { line: 1, column: 2, length: 1 });
  t.same(places.of({ start: 3, end: 3 }), { line: 2, column: 1, length: 1 });
  t.same(places.of({ start: 5, end: 6 }), { line: 3, column: 2, length: 1 });
  t.same(places.of({ start: -1, end: -1 }), { line: 0, column: 0, length: 1 });
});
