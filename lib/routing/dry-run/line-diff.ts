/** A removed or an added line. */
export interface LineChange {
  readonly sign: '-' | '+';
  readonly text: string;
}

/** The fewest changes that turn `before` into `after`; in the same position, removed lines stand before added ones. */
export function diffLines(before: readonly string[], after: readonly string[]): LineChange[] {
  const common = commonLengths(before, after);
  const changes: LineChange[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      i++;
      j++;
    } else if (j === after.length || (i < before.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      changes.push({ sign: '-', text: before[i++] as string });
    } else {
      changes.push({ sign: '+', text: after[j++] as string });
    }
  }
  return changes;
}

/** For every pair of tails, the number of lines that both have, in order. */
function commonLengths(before: readonly string[], after: readonly string[]): number[][] {
  const lengths = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  );
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const longer = Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
      lengths[i]![j] = before[i] === after[j] ? lengths[i + 1]![j + 1]! + 1 : longer;
    }
  }
  return lengths;
}
