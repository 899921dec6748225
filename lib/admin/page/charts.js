import { Chart, SPAN_MS } from './chart.js';
import { make, scrollable } from './elements.js';
import { count, milliseconds, percent, rate, time } from './words.js';

/** Rows of the table: half a minute each. */
const ROW_MS = 30_000;

/** Requests, errors and latency, as charts and as a table. */
export class Charts {
  constructor(place, table) {
    this.points = [];
    this.table = table;
    const perSecond = (value) => (value === null ? '–' : rate(value));
    const share = (value) => (value === null ? '–' : percent(value));
    this.charts = [
      new Chart({
        title: 'Requests',
        unit: 'per second',
        least: 5,
        format: perSecond,
        series: [{ name: 'requests', value: (point) => point.requests }],
      }),
      new Chart({
        title: 'Errors',
        unit: 'of requests, clients’ own not counted',
        least: 0.05,
        format: share,
        series: [
          { name: 'errors', value: (point) => (point.requests === 0 ? null : point.errors / point.requests) },
        ],
      }),
      new Chart({
        title: 'Latency',
        unit: '',
        least: 2,
        format: milliseconds,
        series: [
          { name: 'p50', value: (point) => point.p50 },
          { name: 'p90', value: (point) => point.p90 },
          { name: 'p99', value: (point) => point.p99 },
        ],
      }),
    ];
    scrollable(place, 'Charts of the traffic');
    place.append(...this.charts.map(({ element }) => element));
    this.charts[1].element.classList.add('errors');
  }

  /** When the last second known ended. */
  get since() {
    return this.points.at(-1)?.at ?? 0;
  }

  /** @param {readonly any[]} fresh seconds that were not known yet */
  add(fresh) {
    const end = fresh.at(-1)?.at ?? this.since;
    this.points = [...this.points, ...fresh].filter(({ at }) => at > end - SPAN_MS);
    for (const chart of this.charts) chart.update(this.points, end);
    if (this.table.closest('details').open || this.table.childElementCount === 0) this.fillTable();
  }

  /** Half a minute a row, newest first. */
  fillTable() {
    const end = this.since;
    const rows = [];
    for (let row = 0; row < SPAN_MS / ROW_MS; row++) {
      const from = end - (row + 1) * ROW_MS;
      const points = this.points.filter(({ at }) => at > from && at <= from + ROW_MS);
      if (points.length > 0) rows.push(tableRow(points));
    }
    const head = ['Until', 'Requests', 'Errors', 'p50', 'p90', 'p99'].map((name, index) =>
      make(index === 0 ? 'th' : 'th.number', { scope: 'col' }, name),
    );
    const caption = make('caption.unseen', {}, 'Traffic of the last five minutes, half a minute a row');
    this.table.replaceChildren(
      make('table', {}, caption, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows)),
    );
  }
}

function tableRow(points) {
  const sum = (key) => points.reduce((total, point) => total + point[key], 0);
  const { at } = points.at(-1);
  const latest = (key) => points.findLast((point) => point[key] !== null)?.[key] ?? null;
  const cells = [
    count(sum('requests')),
    count(sum('errors')),
    ...['p50', 'p90', 'p99'].map((key) => milliseconds(latest(key))),
  ];
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, time(at)),
    ...cells.map((text) => make('td.number', {}, text)),
  );
}
