import { ALL, type Syntax } from './regex-syntax.js';

/** Repeats up to here are written out; more often is as good as without end. */
const MAX_COPIES = 10;
const MAX_POSITIONS = 2000;

/** The ways through a piece: where it may begin and end, and whether it may be passed without a character. */
interface Piece {
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly empty: boolean;
}

/** A pattern that is too big to be judged. */
export class TooBig extends Error {}

/**
 * The position automaton of a pattern: each place in it that takes a character is a state, and `follow` says which
 * may come next. A state that can come next in two ways (as in `(a+)+`, by either repeat) is listed twice: to a
 * backtracking matcher these are two choices.
 */
export class Automaton {
  /** Which characters each position takes. */
  readonly sets: bigint[] = [];
  readonly follow: number[][] = [];

  /** Unless it is anchored, a search may begin anywhere: as if any characters came first. */
  constructor(syntax: Syntax, anchored: boolean) {
    const piece = this.#add(syntax);
    if (anchored) return;
    const skip = this.#position(ALL);
    this.#connect([skip], [skip, ...piece.first]);
  }

  /**
   * The groups of positions from which each reaches the other: what a repeat without end makes. (Kosaraju: visited
   * backwards in the order in which they were left, positions fall into such groups.)
   */
  loops(): number[][] {
    const backwards: number[][] = this.follow.map(() => []);
    for (const [from, followers] of this.follow.entries()) {
      for (const to of followers) backwards[to]!.push(from);
    }
    const left: number[] = [];
    const visited = new Set<number>();
    for (const start of this.follow.keys()) walk(start, this.follow, visited, left);
    visited.clear();
    const groups: number[][] = [];
    for (const start of left.reverse()) {
      const group: number[] = [];
      walk(start, backwards, visited, group);
      groups.push(group);
    }
    return groups.filter(([first, ...others]) => others.length > 0 || this.follow[first!]?.includes(first!));
  }

  overlap(a: number, b: number): bigint {
    return this.sets[a]! & this.sets[b]!;
  }

  #add(syntax: Syntax): Piece {
    switch (syntax.kind) {
      case 'nothing':
        return { first: [], last: [], empty: true };
      case 'one': {
        const position = this.#position(syntax.set);
        return { first: [position], last: [position], empty: false };
      }
      case 'sequence':
        return syntax.items.reduce<Piece>((before, item) => this.#join(before, this.#add(item)), {
          first: [],
          last: [],
          empty: true,
        });
      case 'choice': {
        const pieces = syntax.items.map((item) => this.#add(item));
        return {
          first: pieces.flatMap(({ first }) => first),
          last: pieces.flatMap(({ last }) => last),
          empty: pieces.some(({ empty }) => empty),
        };
      }
      case 'repeat':
        return this.#repeat(syntax.item, syntax.min, syntax.max);
    }
  }

  #repeat(item: Syntax, min: number, max: number): Piece {
    const endless = max > MAX_COPIES;
    const copies = endless ? Math.max(1, Math.min(min, MAX_COPIES)) : max;
    let whole: Piece = { first: [], last: [], empty: true };
    for (let copy = 1; copy <= copies; copy++) {
      const piece = this.#add(item);
      if (endless && copy === copies) this.#connect(piece.last, piece.first);
      whole = this.#join(whole, copy > min ? { ...piece, empty: true } : piece);
    }
    return whole;
  }

  #join(before: Piece, after: Piece): Piece {
    this.#connect(before.last, after.first);
    return {
      first: before.empty ? [...before.first, ...after.first] : before.first,
      last: after.empty ? [...before.last, ...after.last] : after.last,
      empty: before.empty && after.empty,
    };
  }

  #connect(from: readonly number[], to: readonly number[]): void {
    for (const position of from) this.follow[position]!.push(...to);
  }

  #position(set: bigint): number {
    if (this.sets.length === MAX_POSITIONS) throw new TooBig();
    this.follow.push([]);
    return this.sets.push(set) - 1;
  }
}

/** Visits what can be reached from `start` and was not before; adds each position to `left` when it is left. */
function walk(
  start: number,
  next: readonly (readonly number[])[],
  visited: Set<number>,
  left: number[],
): void {
  if (visited.has(start)) return;
  visited.add(start);
  const stack = [{ position: start, at: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const to = next[top.position]![top.at++];
    if (to === undefined) {
      left.push(top.position);
      stack.pop();
    } else if (!visited.has(to)) {
      visited.add(to);
      stack.push({ position: to, at: 0 });
    }
  }
}
