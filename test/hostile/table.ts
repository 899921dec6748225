import type { Attack } from './attacks.js';
import { type Result, standing } from './result.js';

/** An attack, and what came of it with each peer that it was tried on. */
export interface Row {
  readonly attack: Attack;
  readonly results: readonly Result[];
}

const LABEL = 27;
const CELL = 7;
const LAST = 8;

function cells(label: string, texts: readonly string[], last: string, width = CELL): string {
  const middle = texts.map((text) => text.padStart(width)).join('');
  return `${label.padEnd(LABEL)}${middle}${last.padStart(LAST)}`.trimEnd();
}

/** The heading of the waits: two columns for each peer. */
export function waitsHeading(peers: readonly string[]): string {
  return [
    cells('ms that others wait', peers, '', 2 * CELL),
    cells(
      '',
      peers.flatMap(() => ['p50', 'p99']),
      'bar',
    ),
  ].join('\n');
}

/** One line of it; printed as soon as it is known. */
export function waitsLine({ attack, results }: Row, peers: readonly string[]): string {
  const texts = peers.flatMap((name) => {
    const result = results.find(({ peer }) => peer === name);
    return result === undefined ? ['-', '-'] : [milliseconds(result.p50), milliseconds(result.p99)];
  });
  const { bar } = attack;
  const isJudged = bar.p50 > 0 || bar.p99 > 0;
  return cells(
    attack.title,
    texts,
    isJudged ? standingOf({ ...attack, bar: { ...bar, cost: 0 } }, results) : '',
  );
}

/** What attacks cost, where a bar says how much they may; empty where none of them has one. */
export function costs(rows: readonly Row[], peers: readonly string[]): string {
  const judged = rows.filter(({ attack }) => attack.bar.cost > 0);
  if (judged.length === 0) return '';
  const lines = judged.map(({ attack, results }) => {
    const texts = peers.map((name) => {
      const result = results.find(({ peer }) => peer === name);
      if (result === undefined) return '-';
      return result.alive ? figure(result.cost) : 'ended';
    });
    const own = { ...attack, bar: { ...attack.bar, p50: 0, p99: 0 } };
    return costLine(attack.title, [...texts, limit(attack)], standingOf(own, results));
  });
  return [costLine('what it costs', [...peers, 'at most'], 'bar'), ...lines].join('\n');
}

/** The same width as the waits: the limit and its unit stand where a peer's second column would be. */
function costLine(label: string, texts: readonly string[], last: string): string {
  const limits = texts.at(-1) ?? '';
  const figures = texts.slice(0, -1).map((text) => text.padStart(CELL + 1));
  return `${label.padEnd(LABEL)}${figures.join('')}${limits.padStart(3 * (CELL - 1))}${last.padStart(LAST)}`.trimEnd();
}

function limit({ bar, cost }: Attack): string {
  return `${bar.cost} ${cost}`;
}

/** What else there is to say: a line each. */
export function remarks(rows: readonly Row[]): string {
  return rows
    .flatMap(({ attack, results }) =>
      results.flatMap(({ peer, failed, remarks: own }) => {
        const all = failed > 0 ? [...own, `${failed} requests of other clients failed`] : own;
        return all.map((remark) => `${attack.title}: ${peer}: ${remark}`);
      }),
    )
    .join('\n');
}

function standingOf(attack: Attack, results: readonly Result[]): string {
  const lb = results.find(({ isLb }) => isLb);
  return lb === undefined ? '' : standing(attack, lb, results);
}

function milliseconds(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(value < 100 ? 1 : 0);
}

function figure(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(value < 100 ? 2 : 0);
}
