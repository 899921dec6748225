import type { Row } from './row.js';
import type { Summary } from './summary.js';

/** Above this share of the balancer's processor taken by others, the figures of a row are doubtful. */
const CROWDED = 0.1;
/** So far may connections per request be from what the row is about. */
const CONNECTION_SLACK = 0.05;

interface Column {
  readonly heading: string;
  readonly width: number;
  readonly cell: (summary: Summary) => string;
}

const PEER: Column = { heading: 'peer', width: 14, cell: (summary) => summary.peer };
const MEMORY: readonly Column[] = [
  { heading: 'RSS MiB', width: 8, cell: (summary) => (summary.rss / 2 ** 20).toFixed(1) },
  { heading: 'PSS MiB', width: 8, cell: (summary) => (summary.pss / 2 ** 20).toFixed(1) },
];
const RATIO: readonly Column[] = [
  { heading: 'ratio', width: 7, cell: ({ ratio }) => (ratio ? factor(ratio.median) : '-') },
  {
    heading: 'min-max',
    width: 10,
    cell: ({ ratio }) => (ratio ? `${factor(ratio.min)}-${factor(ratio.max)}` : '-'),
  },
];

/** The row's heading, a line per peer, and what lb reached. At most 100 columns. */
export function table(row: Row, summaries: readonly Summary[]): string {
  const columns =
    row.load.kind === 'idle' ? idleColumns() : workColumns(row.load.kind === 'stream' ? 'MiB' : 'req');
  const lines = [
    `${row.name}: ${row.title}`,
    line(columns, (column) => column.heading),
    ...summaries.map((summary) => line(columns, (column) => column.cell(summary))),
    ...remarks(row, summaries),
    ...verdict(row, summaries),
  ];
  return `${lines.join('\n')}\n`;
}

function idleColumns(): Column[] {
  const cost = { heading: 'KiB/conn', width: 10, cell: (summary: Summary) => summary.cost.toFixed(2) };
  return [PEER, cost, ...MEMORY, ...RATIO];
}

function workColumns(unit: 'req' | 'MiB'): Column[] {
  const work = (
    heading: string,
    width: number,
    digits: number,
    get: (of: NonNullable<Summary['work']>) => number,
  ) => ({
    heading,
    width,
    cell: (summary: Summary) => (summary.work ? get(summary.work).toFixed(digits) : '-'),
  });
  return [
    PEER,
    work(`${unit}/s`, 7, 0, (of) => of.perSecond),
    work('p50 ms', 7, 2, (of) => of.p50Ms),
    work('p99 ms', 8, 2, (of) => of.p99Ms),
    { heading: `µs/${unit}`, width: 8, cell: (summary) => summary.cost.toFixed(1) },
    work('user', 7, 1, (of) => of.user),
    work('sys', 7, 1, (of) => of.system),
    work('busy %', 7, 0, (of) => of.busy * 100),
    ...MEMORY,
    ...RATIO,
  ];
}

/** Three figures are as many as the noise allows. */
function factor(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : 1);
}

function line(columns: readonly Column[], text: (column: Column) => string): string {
  const cells = columns.map((column, index) =>
    index === 0 ? text(column).padEnd(column.width) : text(column).padStart(column.width),
  );
  return `  ${cells.join('')}`.trimEnd();
}

function remarks(row: Row, summaries: readonly Summary[]): string[] {
  const own = summaries.flatMap((summary) =>
    [...summary.remarks, ...connections(row, summary)].map((remark) => `  ${summary.peer}: ${remark}`),
  );
  const others = Math.max(0, ...summaries.map((summary) => summary.work?.others ?? 0));
  const crowded = `  other programs took up to ${Math.round(others * 100)} % of the balancer's processor: doubtful`;
  return others > CROWDED ? [...own, crowded] : own;
}

/** A keep-alive row that opens connections, or a close row that does not, measures something else. */
function connections({ load }: Row, { work }: Summary): string[] {
  if (load.kind !== 'requests' || !work || Math.abs(work.opened - load.opens) <= CONNECTION_SLACK) return [];
  return [`${work.opened.toFixed(2)} connections opened per request, not ${load.opens}`];
}

/** Whom ratios are to. */
function yardstick({ yardsticks }: Row): string {
  return yardsticks.length > 1 ? `the better of ${yardsticks.join(' and ')}` : (yardsticks[0] ?? 'nobody');
}

/** How much more a row costs than the one it is compared with, peer by peer; empty unless both were measured. */
export function growth(row: Row, summaries: readonly Summary[], before: readonly Summary[]): string {
  if (row.growth === undefined) return '';
  const { from, milestone, goal } = row.growth;
  const lines: string[] = [];
  for (const { peer, cost } of summaries) {
    const other = before.find((summary) => summary.peer === peer);
    if (other === undefined) continue;
    const grown = cost / other.cost;
    const bar = peer === 'lb' ? `, ${standing(grown, goal, milestone)}` : '';
    lines.push(`  ${peer} at ${grown.toFixed(2)} of what ${from} costs it${bar}\n`);
  }
  return lines.join('');
}

function standing(value: number, goal: number, milestone: number): string {
  const reached =
    value <= goal ? 'reaches the goal' : value <= milestone ? 'reaches the milestone' : 'is behind';
  return `${reached} (milestone ${milestone}, goal ${goal})`;
}

/** How lb stands to the row's bars. */
function verdict(row: Row, summaries: readonly Summary[]): string[] {
  const lb = summaries.find((summary) => summary.peer === 'lb');
  const value = row.load.kind === 'idle' ? lb?.cost : lb?.ratio?.median;
  if (value === undefined) return [];
  const unit = row.load.kind === 'idle' ? 'KiB per connection' : `of ${yardstick(row)}`;
  return [`  lb at ${value.toFixed(2)} ${unit} ${standing(value, row.goal, row.milestone)}`];
}
