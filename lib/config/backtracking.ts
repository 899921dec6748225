import { Automaton, TooBig } from './automaton.js';
import { ALL, readShape, type Syntax } from './regex-syntax.js';

/** How the time of a search grows with the text, at worst. */
export type Growth = 'linear' | 'quadratic' | 'cubic' | 'exponential' | 'unknown';

/** Steps of the analysis before it gives up; patterns people write take a few hundred. */
const MAX_STEPS = 2_000_000;

/**
 * Judges a pattern by the ambiguity of its automaton rather than by trying it: no clock is asked, so the answer is
 * the same on a slow machine, and no evil text has to be guessed.
 *
 * A backtracking matcher that fails tries every way to read a text. If one loop can read the same text in two ways
 * and be where it was, each repetition doubles the ways: exponential. If two loops behind one another can both read
 * the same text, the border between them may lie anywhere: one power more for each such loop. That a search may
 * begin anywhere is one loop too. (Weber and Seidl, On the degree of ambiguity of finite automata, 1991.)
 *
 * Backreferences make a pattern no automaton: they are `unknown`, as is what takes too long to judge.
 */
export function growthOf(source: string, flags: string): Growth {
  const { syntax, anchored, lookarounds, hasBackreference } = readShape(source, flags);
  if (hasBackreference) return 'unknown';
  try {
    const growths = [growth(syntax, anchored), ...lookarounds.map((body) => growth(body, false))];
    return ORDER[Math.max(...growths.map((each) => ORDER.indexOf(each)))]!;
  } catch (error) {
    if (error instanceof TooBig) return 'unknown';
    throw error;
  }
}

const ORDER: readonly Growth[] = ['linear', 'quadratic', 'cubic', 'exponential', 'unknown'];

function growth(syntax: Syntax, anchored: boolean): Growth {
  const automaton = new Automaton(syntax, anchored);
  const budget = { steps: MAX_STEPS };
  const loops = automaton.loops();
  if (loops.some((loop) => isAmbiguous(automaton, loop, budget))) return 'exponential';
  const chain = longestChain(
    automaton,
    loops.filter((loop) => mayFail(automaton, loop)),
    budget,
  );
  return ORDER[Math.max(0, Math.min(chain, 3) - 1)]!;
}

interface Budget {
  steps: number;
}

function spend(budget: Budget): void {
  budget.steps -= 1;
  if (budget.steps < 0) throw new TooBig();
}

/** A last `.*` (with the flag s) takes all that is left: there is nothing behind it that could fail. */
function mayFail({ sets, follow }: Automaton, [position, ...others]: readonly number[]): boolean {
  return (
    others.length > 0 || sets[position!]! !== ALL || follow[position!]!.some((next) => next !== position)
  );
}

/** Whether some text leads from a position of the loop back to it in two ways. */
function isAmbiguous(automaton: Automaton, loop: readonly number[], budget: Budget): boolean {
  const inside = new Set(loop);
  const size = automaton.follow.length;
  const next = (position: number): number[] => automaton.follow[position]!.filter((to) => inside.has(to));
  if (loop.some((position) => new Set(next(position)).size < next(position).length)) return true;
  /** Pairs of positions that the same text leads to from one position, and from where each was reached. */
  const reachedFrom = new Map<number, number[]>(loop.map((position) => [position * size + position, []]));
  const queue = [...reachedFrom.keys()];
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    for (const a of next(Math.floor(pair / size))) {
      for (const b of next(pair % size)) {
        spend(budget);
        if (automaton.overlap(a, b) === 0n) continue;
        const to = a * size + b;
        const known = reachedFrom.get(to);
        if (known) known.push(pair);
        else {
          reachedFrom.set(to, [pair]);
          queue.push(to);
        }
      }
    }
  }
  return meetsAgain(loop, size, reachedFrom, budget);
}

/** Whether two ways that parted come together: walks back from the pairs of equals. */
function meetsAgain(
  loop: readonly number[],
  size: number,
  reachedFrom: ReadonlyMap<number, readonly number[]>,
  budget: Budget,
): boolean {
  const queue = loop.map((position) => position * size + position);
  const seen = new Set(queue);
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    for (const from of reachedFrom.get(pair) ?? []) {
      spend(budget);
      if (Math.floor(from / size) !== from % size) return true;
      if (seen.has(from)) continue;
      seen.add(from);
      queue.push(from);
    }
  }
  return false;
}

/** The most loops behind one another of which each can read what the one before it reads. */
function longestChain(automaton: Automaton, loops: readonly (readonly number[])[], budget: Budget): number {
  const lengths = new Map<readonly number[], number>();
  const lengthFrom = (loop: readonly number[]): number => {
    const known = lengths.get(loop);
    if (known !== undefined) return known;
    lengths.set(loop, 1);
    const followers = loops.filter((other) => other !== loop && shareText(automaton, loop, other, budget));
    const length = 1 + Math.max(0, ...followers.map(lengthFrom));
    lengths.set(loop, length);
    return length;
  };
  return Math.max(0, ...loops.map(lengthFrom));
}

/**
 * Whether one text leads around the first loop, from it to the second, and around the second. One position of the
 * first loop is enough: seen from another one the same text is only rotated.
 */
function shareText(
  automaton: Automaton,
  [start]: readonly number[],
  second: readonly number[],
  budget: Budget,
): boolean {
  return second.some((end) => walksTogether(automaton, start!, end, budget));
}

function walksTogether({ sets, follow }: Automaton, start: number, end: number, budget: Budget): boolean {
  const size = follow.length;
  const key = (a: number, b: number, c: number): number => (a * size + b) * size + c;
  const seen = new Set<number>();
  const queue: [number, number, number][] = [[start, start, end]];
  for (let triple = queue.pop(); triple !== undefined; triple = queue.pop()) {
    for (const a of follow[triple[0]]!) {
      for (const b of follow[triple[1]]!) {
        if ((sets[a]! & sets[b]!) === 0n) continue;
        for (const c of follow[triple[2]]!) {
          spend(budget);
          if ((sets[a]! & sets[b]! & sets[c]!) === 0n || seen.has(key(a, b, c))) continue;
          if (a === start && b === end && c === end) return true;
          seen.add(key(a, b, c));
          queue.push([a, b, c]);
        }
      }
    }
  }
  return false;
}
