import t from 'tap';
import { createPaint } from '../../../lib/cli/paint.js';
import { type Column, renderTable } from '../../../lib/cli/remote/columns.js';

interface Row {
  readonly name: string;
  readonly amount: string;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'NAME', text: ({ name }) => name, atLeast: 6 },
  { heading: 'AMOUNT', right: true, text: ({ amount }) => amount, dispensable: 1 },
  { heading: 'NOTE', text: ({ note }) => note, dispensable: 2, tint: (_, paint) => paint.red },
];
const ROWS: readonly Row[] = [
  { name: 'a', amount: '5', note: 'fine' },
  { name: 'long-name', amount: '12,345', note: '' },
];

const plain = createPaint(false);

t.test('columns are as wide as what is in them, figures on the right', async (t) => {
  t.equal(
    renderTable(COLUMNS, ROWS, 80, plain),
    ['NAME       AMOUNT  NOTE', 'a               5  fine', 'long-name  12,345', ''].join('\n'),
  );
});

t.test('where there is no room the most dispensable goes first, then texts are cut', async (t) => {
  const width = (columns: number) => renderTable(COLUMNS, ROWS, columns, plain).split('\n');
  t.same(width(22), ['NAME       AMOUNT', 'a               5', 'long-name  12,345', '']);
  t.same(width(10), ['NAME', 'a', 'long-name', '']);
  t.same(width(7), ['NAME', 'a', 'long-n…', '']);
  t.same(width(3), ['NAME', 'a', 'long-…', ''], 'but not to nothing');
});

t.test('a column in which nothing stands is left out, if it can be spared', async (t) => {
  const rows = [{ name: '', amount: '', note: '' }];
  t.equal(renderTable(COLUMNS, rows, 80, plain), 'NAME\n\n');
});

t.test('colours take no room', async (t) => {
  const colourless = renderTable(COLUMNS, ROWS, 80, plain);
  const coloured = renderTable(COLUMNS, ROWS, 80, createPaint(true));
  t.not(coloured, colourless);
  t.equal(coloured.replace(/\x1b\[\d+m/g, '').replace(/ +\n/g, '\n'), colourless);
});
