import { make, mark, reconcile, say } from './elements.js';

/**
 * A table of rows with an id, in a card that can be scrolled sideways.
 * @typedef {{ head: string, kind?: string, text: (row: any) => string, note?: (row: any) => string,
 *   tone?: (row: any) => string | null, make?: (row: any) => Element }} Column
 */
export class DataTable {
  /** @param {string} title @param {readonly Column[]} columns the first one names the row */
  constructor(title, columns) {
    this.columns = columns;
    this.kept = new Map();
    this.body = make('tbody');
    const heads = columns.map(({ head, kind = '', make: button }) =>
      button === undefined
        ? make(kind === 'number' ? 'th.number' : 'th', { scope: 'col' }, head)
        : make('th', { scope: 'col' }, make('span.unseen', {}, head)),
    );
    const caption = make('caption.unseen', {}, title);
    this.more = make('p.more', { hidden: true });
    const table = make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), this.body);
    const region = { tabindex: 0, role: 'region', 'aria-label': `${title}, the table` };
    this.element = make('div', {}, make('div.card.scroll', region, table), this.more);
  }

  /** @param {readonly any[]} rows @param {number} total of all rows, shown or not */
  update(rows, total) {
    reconcile(
      this.body,
      this.kept,
      rows,
      ({ id }) => id,
      (row) => new DataRow(this.columns, row),
    );
    this.more.hidden = total <= rows.length;
    say(
      this.more,
      `The first ${rows.length} of ${total.toLocaleString('en')} are shown, what is wrong first.`,
    );
  }
}

class DataRow {
  constructor(columns, row) {
    this.columns = columns;
    this.cells = columns.map(({ kind = '', make: button, note }, index) => {
      const text = make('span');
      const small = note === undefined ? null : make('span.note');
      const content = button === undefined ? [text, small] : [button(row)];
      const tag = `${index === 0 ? 'th' : 'td'}${kind === '' ? '' : `.${kind}`}`;
      const cell = make(tag, index === 0 ? { scope: 'row' } : {}, ...content);
      return { cell, text, small };
    });
    this.element = make('tr', {}, ...this.cells.map(({ cell }) => cell));
  }

  update(row) {
    for (const [index, { cell, text, small }] of this.cells.entries()) {
      const column = this.columns[index];
      if (column.make !== undefined) continue;
      say(text, column.text(row));
      if (small !== null) say(small, column.note(row));
      if (column.tone !== undefined) mark(cell, 'data-tone', column.tone(row));
    }
  }
}
