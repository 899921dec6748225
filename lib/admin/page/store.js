// What the API has said, put together from its differences.

/** The last view: facts, and tables of rows by id. */
export class Store {
  constructor() {
    this.forget();
  }

  /** The next answer is a whole view. */
  forget() {
    this.version = '';
    this.facts = {};
    this.tables = {};
  }

  /** @param {{ version: string, is_whole: boolean, facts: object, tables: object }} answer */
  apply({ version, is_whole: isWhole, facts, tables }) {
    if (isWhole) this.forget();
    this.version = version;
    Object.assign(this.facts, facts);
    for (const [name, change] of Object.entries(tables)) {
      if (change === null) delete this.tables[name];
      else this.#applyTable(name, change);
    }
  }

  #applyTable(name, { total, order, rows }) {
    const table = this.tables[name] ?? { total: 0, order: [], rows: new Map() };
    this.tables[name] = table;
    table.total = total;
    for (const row of rows) table.rows.set(row.id, { ...table.rows.get(row.id), ...row });
    if (order === undefined) return;
    table.order = order;
    const shown = new Set(order);
    for (const id of table.rows.keys()) if (!shown.has(id)) table.rows.delete(id);
  }

  /** The rows of a table in order; null when it is not shown. @param {string} name */
  rows(name) {
    const table = this.tables[name];
    return table === undefined ? null : table.order.map((id) => table.rows.get(id));
  }

  /** @param {string} name */
  total(name) {
    return this.tables[name]?.total ?? 0;
  }
}
