import type { TableName, View, ViewFacts, ViewRow, ViewTable } from '../control/status/view.js';

/** What has changed from one view to the next. */
export interface ViewDifference {
  /** Those that have another value. */
  readonly facts: Partial<ViewFacts>;
  /** Those that have changed; null: the table is not shown any more. */
  readonly tables: { readonly [name in TableName]?: TableDifference | null };
}

export interface TableDifference {
  readonly total: number;
  /** The ids of all rows in order; missing when these are the same as before. */
  readonly order?: readonly string[];
  /** New rows, and of changed ones `id` and what has another value. */
  readonly rows: readonly (Partial<ViewRow> & Pick<ViewRow, 'id'>)[];
}

const EMPTY: ViewTable = { total: -1, rows: [] };

/** `before`: null for a caller that was shown nothing yet. */
export function differenceOf(before: View | null, now: View): ViewDifference {
  const facts = changedFields(before?.facts ?? {}, now.facts);
  const tables: { [name in TableName]?: TableDifference | null } = {};
  for (const name of Object.keys(before?.tables ?? {}) as TableName[])
    if (now.tables[name] === undefined) tables[name] = null;
  for (const [name, table] of Object.entries(now.tables) as [TableName, ViewTable][]) {
    const difference = tableDifference(before?.tables[name] ?? EMPTY, table);
    if (difference !== null) tables[name] = difference;
  }
  return { facts, tables };
}

function tableDifference(before: ViewTable, now: ViewTable): TableDifference | null {
  const known = new Map(before.rows.map((row) => [row.id, row]));
  const rows: (Partial<ViewRow> & Pick<ViewRow, 'id'>)[] = [];
  for (const row of now.rows) {
    const was = known.get(row.id);
    const changed = was === undefined ? row : changedFields(was, row);
    if (Object.keys(changed).length > 0) rows.push({ ...changed, id: row.id });
  }
  const isOrdered =
    before.rows.length === now.rows.length &&
    now.rows.every(({ id }, index) => id === before.rows[index]!.id);
  if (isOrdered && rows.length === 0 && before.total === now.total) return null;
  const order = isOrdered ? {} : { order: now.rows.map(({ id }) => id) };
  return { total: now.total, ...order, rows };
}

function changedFields<T extends object>(before: object, now: T): Partial<T> {
  const changed: Partial<T> = {};
  for (const key of Object.keys(now) as (keyof T)[]) {
    const was = (before as Partial<T>)[key];
    const is = now[key];
    if (was === is) continue;
    const isText = typeof is !== 'object' || is === null || typeof was !== 'object' || was === null;
    if (isText || JSON.stringify(was) !== JSON.stringify(is)) changed[key] = is;
  }
  return changed;
}
