import { type Candidate, NOBODY, type RandomSource, roomFor, withRoom } from './scheduler.js';

/** Weights are counted in whole units of this, whose sums are exact: the half of a weight of 1 is 524,288 of them. */
const UNITS = 2 ** 20;
const TWO_31 = 2 ** 31;

/**
 * Draws candidates by weight. Their weights are kept as sums over ranges of indexes (a Fenwick tree), so that to change
 * one and to draw one each take as many steps as the number of candidates has bits.
 */
export class WeightedDraw {
  readonly #candidates: readonly Candidate[];
  readonly #random: RandomSource;
  #units: Float64Array;
  /** `#sums[i]` is the sum of the units of as many indexes before `i` as its lowest bit says. */
  #sums: Float64Array;
  /** The highest power of 2 that is at most their number. */
  #highest: number;
  #total = 0;
  /** Of those that are left out of the current draws, by index: units before each, and its own. */
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

  /** The list of candidates has become longer; those that are new are not drawn yet. */
  grow(): void {
    const room = roomFor(this.#candidates.length, this.#units.length);
    if (room === this.#units.length) return;
    const units = this.#units;
    this.#units = withRoom(units, room);
    this.#sums = new Float64Array(room + 1);
    this.#highest = highestPower(room);
    for (let index = 0; index < units.length; index++) this.#add(index, units[index] as number);
  }

  /** Its weight is as it says now. */
  weigh(index: number): void {
    const { effectiveWeight } = this.#candidates[index] as Candidate;
    this.#set(index, Math.max(1, Math.round(effectiveWeight * UNITS)));
  }

  /** It is not drawn any more. */
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

  /** The draws to come leave out these. */
  begin(tried: readonly number[]): void {
    this.#count = 0;
    this.#leftOut = 0;
    for (let i = 0; i < tried.length; i++) this.leaveOut(tried[i] as number);
  }

  /** So do they this one. */
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

  /** The index of one of those that are left; `NOBODY` when there is none. */
  draw(): number {
    const left = this.#total - this.#leftOut;
    if (left <= 0) return NOBODY;
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
