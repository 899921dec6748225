import { quantile } from '../bench/outcome.js';
import type { Attack } from './attacks.js';
import type { Trial } from './trial.js';

/** What all rounds of an attack on one peer came to. */
export interface Result {
  readonly peer: string;
  readonly isLb: boolean;
  /** ms. */
  readonly p50: number;
  readonly p99: number;
  /** The median of the rounds. */
  readonly cost: number;
  readonly alive: boolean;
  readonly failed: number;
  readonly remarks: readonly string[];
}

export function resultOf(peer: string, isLb: boolean, trials: readonly Trial[]): Result {
  const waits = trials.flatMap((trial) => trial.waits);
  const costs = trials.map(({ cost }) => cost);
  return {
    peer,
    isLb,
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
    cost: quantile(costs, 0.5),
    alive: trials.every(({ alive }) => alive),
    failed: trials.reduce((sum, { failed }) => sum + failed, 0),
    remarks: [...new Set(trials.map(({ remark }) => remark).filter((remark) => remark !== ''))],
  };
}

/** How lb stands to the attack's bar. unknown: who it is measured by is not there. */
export type Standing = 'met' | 'missed' | 'unknown';

export function standing({ bar }: Attack, lb: Result, results: readonly Result[]): Standing {
  if (!lb.alive) return 'missed';
  const of = (name: string): Result | undefined => results.find(({ peer }) => peer === name);
  const bounds: (boolean | undefined)[] = [];
  if (bar.cost > 0) bounds.push(lb.cost <= bar.cost);
  if (bar.p50 > 0) bounds.push(within(lb.p50, bar.p50, of(bar.p50Of)?.p50));
  if (bar.p99 > 0) bounds.push(within(lb.p99, bar.p99, of('nginx')?.p99));
  if (bounds.includes(false)) return 'missed';
  return bounds.includes(undefined) ? 'unknown' : 'met';
}

function within(value: number, factor: number, yardstick: number | undefined): boolean | undefined {
  return yardstick === undefined ? undefined : value <= factor * yardstick;
}
