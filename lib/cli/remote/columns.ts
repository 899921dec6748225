import { longest } from '../error-text.js';
import type { Paint } from '../paint.js';

/** One column of a table. */
export interface Column<Row> {
  readonly heading: string;
  /** Right-aligned, as for numbers. */
  readonly right?: boolean;
  readonly text: (row: Row) => string;
  readonly tint?: (row: Row, paint: Paint) => (text: string) => string;
  /** The column is left out when there is too little room, the highest number first. Without it, the column stays. */
  readonly dispensable?: number;
  /** The column may be cut to this many characters, the end of texts first. */
  readonly atLeast?: number;
}

const GAP = '  ';

/** A heading and one line per row, not wider than `width` if the columns allow it; each ends with a line feed. */
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

/** Leaves columns out, then cuts others, until the table fits. Empty columns are left out anyway. */
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
