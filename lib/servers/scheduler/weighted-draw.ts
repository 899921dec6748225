import { type Candidate, NO_CANDIDATE, type RandomSource, roomFor, withRoom } from './scheduler.js';

/** Weights are counted in units of this fraction, whose sums are exact: half a weight of 1 is 524,288 units. */
const UNITS = 2 ** 20;
const TWO_31 = 2 ** 31;

/**
 * Draws candidates by weight. Weights are kept as sums over ranges of indexes (a Fenwick tree), so that changing a weight
 * and drawing each take as many steps as the number of candidates has bits.
 */
export class WeightedDraw {
  readonly #candidates: readonly Candidate[];
  readonly #random: RandomSource;
  #units: Float64Array;
  /** `#sums[i]` is the sum of the units of indexes before `i`, over a range as long as the lowest bit of `i`. */
  #sums: Float64Array;
  /** The highest power of 2 that is at most the number of candidates. */
  #highest: number;
  #total = 0;
  /** Of the candidates left out of the current draws, by index: the units before each, and its own. */
  #before = new Float64Array(4);
  #own = new Float64Array(4);
  #count = 0;
  #leftOut = 0;

  constructor(candidates: readonly Candidate[], random: RandomSource) {
    const { length } = candidates;
    this.#candidates = candidates;
    this.#random = random;
    this.#units = new Float64Array(length);
    this.#sums = new Float64Array(length + 1);
    this.#highest = highestPower(length);
  }

  /** The list of candidates has grown; new ones are not drawn yet. */
  grow(): void {
    const room = roomFor(this.#candidates.length, this.#units.length);
    if (room === this.#units.length) return;
    const units = this.#units;
    this.#units = withRoom(units, room);
    this.#sums = new Float64Array(room + 1);
    this.#highest = highestPower(room);
    for (let index = 0; index < units.length; index++) this.#add(index, units[index] as number);
  }

  /** Updates the weight of a candidate. */
  weigh(index: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    this.#set(index, Math.max(1, Math.round(effectiveWeight * UNITS)));
  }

  /** Removes a candidate from the draws. */
  remove(index: number): void {
    this.#set(index, 0);
  }

  #set(index: number, units: number): void {
    const change = units - (this.#units[index] as number);
    if (change === 0) return;
    this.#units[index] = units;
    this.#total += change;
    this.#add(index, change);
  }

  #add(index: number, units: number): void {
    for (let i = index + 1; i < this.#sums.length; i += i & -i) this.#sums[i]! += units;
  }

  /** Begins draws without these candidates. */
  begin(tried: readonly number[]): void {
    this.#count = 0;
    this.#leftOut = 0;
    for (let i = 0; i < tried.length; i++) this.leaveOut(tried[i] as number);
  }

  /** Also leaves out this candidate. */
  leaveOut(index: number): void {
    if (this.#units[index] === 0) return;
    if (this.#count === this.#before.length) this.#grow();
    let before = 0;
    for (let i = index; i > 0; i -= i & -i) before += this.#sums[i] as number;
    let place = this.#count++;
    for (; place > 0 && (this.#before[place - 1] as number) > before; place--) {
      this.#before[place] = this.#before[place - 1] as number;
      this.#own[place] = this.#own[place - 1] as number;
    }
    this.#before[place] = before;
    this.#own[place] = this.#units[index] as number;
    this.#leftOut += this.#units[index] as number;
  }

  #grow(): void {
    const [before, own] = [this.#before, this.#own];
    this.#before = new Float64Array(2 * before.length);
    this.#own = new Float64Array(2 * own.length);
    this.#before.set(before);
    this.#own.set(own);
  }

  /** The index of a drawn candidate; `NO_CANDIDATE` when none is left. */
  draw(): number {
    const left = this.#total - this.#leftOut;
    if (left <= 0) return NO_CANDIDATE;
    let units = Math.floor((this.#random() / TWO_31) * left);
    for (let i = 0; i < this.#count && units >= (this.#before[i] as number); i++)
      units += this.#own[i] as number;
    let index = 0;
    for (let step = this.#highest; step > 0; step >>= 1) {
      const next = index + step;
      if (next >= this.#sums.length || (this.#sums[next] as number) > units) continue;
      index = next;
      units -= this.#sums[next] as number;
    }
    return index;
  }
}

function highestPower(number: number): number {
  return number === 0 ? 0 : 2 ** (31 - Math.clz32(number));
}
