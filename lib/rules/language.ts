/** A language range of Accept-Language, in lower case, with its weight. */
interface Range {
  readonly tag: string;
  readonly quality: number;
}

/** Ranges that are looked at; browsers send less than ten. */
const MAX_RANGES = 50;
const RANGE =
  /^[ \t]*([a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i;

/**
 * The one of `available` (in lower case) that fits the Accept-Language fields best, or null when none does.
 *
 * RFC 4647, 3.4: ranges in the order of their weight, the first that fits wins, each shortened from its end until it
 * does; before that, a range also takes what is more exact than itself (3.3.1: `fr` takes `fr-ca`). `*` fits nothing:
 * whoever sends it gets what is served without conditions. A weight of 0 forbids a language.
 */
export function bestLanguage(fields: readonly string[], available: readonly string[]): string | null {
  if (fields.length === 0) return null;
  const ranges = readRanges(fields);
  const allowed = available.filter((tag) => !isForbidden(tag, ranges));
  for (const { tag, quality } of ranges) {
    if (quality === 0 || tag === '*') continue;
    const fit = lookUp(tag, allowed);
    if (fit !== undefined) return fit;
  }
  return null;
}

function lookUp(range: string, available: readonly string[]): string | undefined {
  if (available.includes(range)) return range;
  const moreExact = available.find((tag) => tag.startsWith(`${range}-`));
  if (moreExact !== undefined) return moreExact;
  let shorter = shorten(range);
  while (shorter !== '' && !available.includes(shorter)) shorter = shorten(shorter);
  return shorter === '' ? undefined : shorter;
}

/** Without the last subtag, and without a single letter in front of it, which means nothing alone. */
function shorten(range: string): string {
  const end = range.lastIndexOf('-');
  if (end === -1) return '';
  return range.slice(0, range[end - 2] === '-' ? end - 2 : end);
}

/** The most exact range that takes `tag` decides. */
function isForbidden(tag: string, ranges: readonly Range[]): boolean {
  let decisive: Range | null = null;
  for (const range of ranges) {
    if (tag !== range.tag && !tag.startsWith(`${range.tag}-`)) continue;
    if (decisive === null || range.tag.length > decisive.tag.length) decisive = range;
  }
  return decisive?.quality === 0;
}

/** Heaviest first, those of one weight in their order. What can't be read is passed over. */
function readRanges(fields: readonly string[]): readonly Range[] {
  const ranges: Range[] = [];
  for (const part of fields.join(',').split(',', MAX_RANGES)) {
    const [, tag, weight = '1'] = RANGE.exec(part) ?? [];
    if (tag !== undefined) ranges.push({ tag: tag.toLowerCase(), quality: Number(weight) });
  }
  return ranges.sort((a, b) => b.quality - a.quality);
}
