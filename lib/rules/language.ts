import { acceptedLanguages, readableOf } from './negotiation.js';

/** Matches every language that no other range of the field matches, so that everything else is forbidden (weight 0). */
const ALL_ELSE = '*;q=0.001';

/**
 * The one of `available` (in lower case) that fits a client's Accept-Language fields, or null when what has no such
 * condition fits better: `own` are its languages, or empty when its language is unknown.
 *
 * RFC 4647, 3.4 (lookup): ranges are tried in the order of their weight, each shortened from its end until it fits;
 * before that, a range also matches a more specific language (3.3.1: `fr` matches `fr-ca`). `*` is no preference. A
 * weight of 0 forbids a language. A range that fits nothing of `available` is assumed to fit an unknown language: a
 * client that prefers English to French is not sent to the French pages only because their language is known.
 */
export function bestLanguage(
  fields: readonly string[],
  available: readonly string[],
  own: readonly string[],
): string | null {
  if (fields.length === 0) return null;
  const accepted = readableOf(fields.join(','));
  const ranges = acceptedLanguages(accepted);
  for (const range of ranges) {
    if (range === '*') return null;
    const fit = lookUp(range, available, accepted);
    if (fit !== undefined) return fit;
    if (
      own.length > 0 ? lookUp(range, own, accepted) !== undefined : !isSaidShorter(range, ranges, available)
    )
      return null;
  }
  return null;
}

/** Those of `available` that fit a range, the best first, up to one that is not forbidden. */
function lookUp(range: string, available: readonly string[], accepted: string): string | undefined {
  const isAllowed = (tag: string): boolean => !isForbidden(tag, accepted);
  if (available.includes(range) && isAllowed(range)) return range;
  const moreExact = available.find((tag) => tag.startsWith(`${range}-`) && isAllowed(tag));
  if (moreExact !== undefined) return moreExact;
  for (let shorter = shorten(range); shorter !== ''; shorter = shorten(shorter))
    if (available.includes(shorter) && isAllowed(shorter)) return shorter;
  return undefined;
}

/** For `en-US, en;q=0.9`: is there a less specific range of the same language that something available fits? */
function isSaidShorter(range: string, ranges: readonly string[], available: readonly string[]): boolean {
  const shorter = ranges.filter((other) => range.startsWith(`${other}-`));
  return shorter.some((other) => available.some((tag) => tag === other || tag.startsWith(`${other}-`)));
}

/** Removes the last subtag, and a single letter in front of it, which has no meaning alone. */
function shorten(range: string): string {
  const end = range.lastIndexOf('-');
  if (end === -1) return '';
  return range.slice(0, range[end - 2] === '-' ? end - 2 : end);
}

/** The most specific range that matches `tag` decides. */
function isForbidden(tag: string, accepted: string): boolean {
  return acceptedLanguages(`${accepted},${ALL_ELSE}`, [tag]).length === 0;
}
