import type { Spell } from './faults.js';
import type { Hit } from './origins.js';
import type { Visit } from './traffic.js';

/** What came of one part of the run. */
export interface Verdict {
  readonly part: string;
  readonly gets: number;
  readonly posts: number;
  readonly failedGets: number;
  readonly failedPosts: number;
  /** POSTs that servers saw more than once. */
  readonly twice: number;
  /** ms from the beginning of a fault until no client felt it any more; the longest of several. */
  readonly felt: number;
  /** ms from the beginning of a fault until the server got its last request in it; the longest of several. null: unknown. */
  readonly served: number | null;
  readonly slowest: number;
}

/** Longer than this, a client has noticed. */
const NOTICED_MS = 300;

export function judge(
  part: string,
  visits: readonly Visit[],
  spells: readonly Spell[],
  hits: readonly Hit[],
): Verdict {
  const gets = visits.filter(({ method }) => method === 'GET');
  const posts = visits.filter(({ method }) => method === 'POST');
  const failed = (some: readonly Visit[]): number => some.filter(({ ok }) => !ok).length;
  return {
    part,
    gets: gets.length,
    posts: posts.length,
    failedGets: failed(gets),
    failedPosts: failed(posts),
    twice: executedTwice(posts, hits),
    felt: Math.max(...spells.map((spell) => feltFor(spell, visits))),
    served: longest(spells.filter(({ fault }) => fault.keepsBook).map((spell) => servedFor(spell, visits))),
    slowest: Math.max(...visits.map(({ at, endedAt }) => endedAt - at)),
  };
}

function longest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.max(...times);
}

function executedTwice(posts: readonly Visit[], hits: readonly Hit[]): number {
  const own = new Set(posts.map(({ id }) => id));
  const counts = new Map<string, number>();
  for (const { id } of hits) if (own.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts.values()].filter((count) => count > 1).length;
}

function feltFor({ from, to }: Spell, visits: readonly Visit[]): number {
  const felt = visits.filter(
    ({ at, endedAt, ok }) => endedAt >= from && at <= to && (!ok || endedAt - at > NOTICED_MS),
  );
  return Math.max(0, ...felt.map(({ at }) => at - from));
}

/**
 * By when the clients sent what the server has in its book: one that hangs reads what it was sent when it wakes up, so
 * its own times say nothing.
 */
function servedFor({ origin, from, to }: Spell, visits: readonly Visit[]): number {
  const seen = new Set(origin.hits().map(({ id }) => id));
  const served = visits.filter(({ id, at }) => at >= from && at <= to && seen.has(id));
  return Math.max(0, ...served.map(({ at }) => at - from));
}
