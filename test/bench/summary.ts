import { quantile } from './outcome.js';
import { OBSERVED } from './peer.js';
import type { Sample, WorkSample } from './trial.js';

/** The rounds of one row: per peer, in the order of the rounds. */
export type Rounds = ReadonlyMap<string, readonly Sample[]>;

/** A peer's rounds in one: medians, and its ratio round by round to the best yardstick of all rounds. */
export interface Summary {
  readonly peer: string;
  readonly cost: number;
  readonly rss: number;
  readonly pss: number;
  readonly work?: WorkSample;
  /** Absent without a yardstick. */
  readonly ratio?: { readonly median: number; readonly min: number; readonly max: number };
  readonly remarks: readonly string[];
}

/** A summary for every peer that finished a round. */
export function summarise(rounds: Rounds, yardsticks: readonly string[]): Summary[] {
  const best = bestOf(rounds, yardsticks);
  return [...rounds]
    .filter(([, samples]) => samples.length > 0)
    .map(([peer, samples]) => {
      const ratios = samples.map((sample, round) => sample.cost / (best[round]?.cost ?? Number.NaN));
      const sound = ratios.filter(Number.isFinite);
      const work = samples.flatMap((sample) => sample.work ?? []);
      return {
        peer,
        cost: medianOf(samples, (sample) => sample.cost),
        rss: medianOf(samples, (sample) => sample.rss),
        pss: medianOf(samples, (sample) => sample.pss),
        remarks: [
          ...(peer === OBSERVED ? overhead(samples, rounds.get('lb')) : []),
          ...new Set(samples.map((sample) => sample.remark).filter(Boolean)),
        ],
        ...(work.length > 0 && { work: medianWork(work) }),
        ...(sound.length > 0 && {
          ratio: { median: quantile(sound, 0.5), min: Math.min(...sound), max: Math.max(...sound) },
        }),
      };
    });
}

/** What it costs to watch, round by round. */
function overhead(observed: readonly Sample[], plain: readonly Sample[] = []): string[] {
  const ratios = observed
    .flatMap(({ cost }, round) => cost / (plain[round]?.cost ?? Number.NaN))
    .filter(Number.isFinite);
  return ratios.length === 0
    ? []
    : [`${quantile(ratios, 0.5).toFixed(3)} times lb without log, metrics and admin`];
}

/**
 * The samples of the yardstick whose median is the lowest. The cheaper one of each round would be cheaper than either is:
 * of two equal peers, the one that was disturbed less.
 */
function bestOf(rounds: Rounds, yardsticks: readonly string[]): readonly Sample[] {
  const measured = yardsticks
    .flatMap((name) => [rounds.get(name) ?? []])
    .filter((samples) => samples.length > 0);
  const median = (samples: readonly Sample[]) => medianOf(samples, (sample) => sample.cost);
  return measured.toSorted((one, other) => median(one) - median(other))[0] ?? [];
}

function medianWork(work: readonly WorkSample[]): WorkSample {
  return {
    perSecond: medianOf(work, (sample) => sample.perSecond),
    p50Ms: medianOf(work, (sample) => sample.p50Ms),
    p99Ms: medianOf(work, (sample) => sample.p99Ms),
    user: medianOf(work, (sample) => sample.user),
    system: medianOf(work, (sample) => sample.system),
    busy: medianOf(work, (sample) => sample.busy),
    others: Math.max(...work.map((sample) => sample.others)),
    opened: medianOf(work, (sample) => sample.opened),
  };
}

function medianOf<T>(values: readonly T[], get: (value: T) => number): number {
  return quantile(values.map(get), 0.5);
}
