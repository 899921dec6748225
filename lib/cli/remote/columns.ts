import { longest } from '../error-text.js';
import type { Paint } from '../paint.js';

/** One column of a table. */
export interface Column<Row> {
  readonly heading: string;
  /** On the right, as figures are. */
  readonly right?: boolean;
  readonly text: (row: Row) => string;
  readonly tint?: (row: Row, paint: Paint) => (text: string) => string;
  /** Left out where there is too little room: the highest number first. Without it, it stays. */
  readonly dispensable?: number;
  /** May be cut down to so many characters, the end of a text first. */
  readonly atLeast?: number;
}

const GAP = '  ';

/** A heading and a line per row, no wider than `width` as far as the columns allow; each ends with a line feed. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  paint: Paint,
): string {
  const fitting = fit(
    columns.map((column) => ({ column, cells: rows.map(column.text), width: 0 })).map(measured),
    width,
  );
  const heading = fitting.map(({ column, width }) => pad(column.heading, width, column.right));
  const lines = rows.map((row, index) =>
    fitting
      .map(({ column, cells, width }) => {
        const cell = pad(cut(cells[index] ?? '', width), width, column.right);
        return column.tint === undefined ? cell : column.tint(row, paint)(cell);
      })
      .join(GAP),
  );
  return [paint.dim(heading.join(GAP).trimEnd()), ...lines.map((line) => line.trimEnd())]
    .map((line) => `${line}\n`)
    .join('');
}

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly width: number;
}

function measured<Row>({ column, cells }: Measured<Row>): Measured<Row> {
  return { column, cells, width: Math.max(column.heading.length, longest(cells)) };
}

/** Leaves columns out, then cuts others, until it fits. A column in which nothing stands is left out anyway. */
function fit<Row>(all: readonly Measured<Row>[], width: number): Measured<Row>[] {
  let columns = all.filter(
    ({ column, cells }) => column.dispensable === undefined || cells.some((cell) => cell !== ''),
  );
  while (total(columns) > width) {
    const least = columns.reduce<Measured<Row> | null>(
      (found, one) => ((one.column.dispensable ?? 0) > (found?.column.dispensable ?? 0) ? one : found),
      null,
    );
    if (least === null) break;
    columns = columns.filter((column) => column !== least);
  }
  let excess = total(columns) - width;
  return columns.map((one) => {
    const { atLeast = Number.POSITIVE_INFINITY } = one.column;
    const spare = Math.max(0, Math.min(excess, one.width - Math.max(atLeast, one.column.heading.length)));
    excess -= spare;
    return { ...one, width: one.width - spare };
  });
}

function total(columns: readonly { readonly width: number }[]): number {
  return columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
}

function pad(text: string, width: number, right = false): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
