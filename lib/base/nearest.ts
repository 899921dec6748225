/**
 * The candidate most likely meant by `word`, for "Did you mean …?", or undefined if none is similar. Case and `-`
 * against `_` do not count; at most one edit in three letters does. The first of equals is returned.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(word);
  let best: string | undefined;
  let bestDistance = Math.floor(wanted.length / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `Did you mean connect?` for the candidate most similar to `word`; `otherwise` if none is. */
export function suggest(word: string, candidates: Iterable<string>, otherwise = ''): string {
  return didYouMean(nearest(word, candidates), otherwise);
}

/** The same for a candidate that is known already, or has to be written in another form. */
export function didYouMean(name: string | null | undefined, otherwise = ''): string {
  return name === null || name === undefined ? otherwise : `Did you mean ${name}?`;
}

/** To people, camelCase, kebab-case and snake_case are the same word. */
function fold(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/-/g, '_');
}

/**
 * The number of letters to insert, delete, replace or swap with their neighbour to turn `a` into `b` (optimal string
 * alignment). A swap counts one: it is the most common typing mistake.
 */
export function editDistance(a: string, b: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, twoAbove[j - 2]! + 1);
      }
      row.push(cost);
    }
    twoAbove = above;
    above = row;
  }
  return above[b.length]!;
}
