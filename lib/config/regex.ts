import { ValueError } from '../base/units.js';
import type { WorkBudget } from '../base/work-budget.js';
import { LinearRegex } from './linear-regex.js';

export { warmUpSteps } from './linear-regex.js';

import { type Bound, readRegex } from './regex-source.js';

/** A match: the whole of it at 0, followed by its groups. */
export type Found = readonly (string | undefined)[];

/** Steps of V8 for one unit of the budget: 1 to 2 ns each. */
const V8_STEPS = 12;
/** Steps at one position up to which V8 is faster than RE2, whatever the text. */
const FEW_STEPS = 64;
/** Up to here, long lists of words and repeats of hundreds, which are too large for RE2, are left to V8. */
const MANY_STEPS = 2500;
/** This many steps that are taken once cost as much as one step at each position. */
const ONCE = 100;
const MAX_SOURCE = 2000;
/** The cost of each match that is replaced, and the characters that may be written for one step. */
const MATCH_STEPS = 16;
const CHARACTERS_PER_STEP = 8;

/** A regular expression as a configuration holds it: plain data that can be sent to another thread. */
export interface RegexConfig {
  /** The source as written. */
  readonly source: string;
  readonly ignoreCase: boolean;
  /** The number of capturing groups. */
  readonly groups: number;
}

/** Cached by the data, so that an expression that was checked here is not compiled again. */
const compiled = new WeakMap<RegexConfig, Regex>();

/** Reads an expression. Throws a ValueError if it is invalid or cannot be matched in linear time. */
export function readRegexConfig(source: string, ignoreCase: boolean): RegexConfig {
  const regex = new Regex(source, ignoreCase);
  const config: RegexConfig = { source, ignoreCase, groups: regex.groups };
  compiled.set(config, regex);
  return config;
}

/** The expression ready to match; the same for the same data. */
export function compileRegex(config: RegexConfig): Regex {
  let regex = compiled.get(config);
  if (regex === undefined) {
    regex = new Regex(config.source, config.ignoreCase);
    compiled.set(config, regex);
  }
  return regex;
}

/** The expression as people write it: `/a/i`. */
export function regexText({ source, ignoreCase }: RegexConfig): string {
  return `/${source}/${ignoreCase ? 'i' : ''}`;
}

/** Is it the data of a regular expression? */
export function isRegexConfig(value: object): value is RegexConfig {
  return 'source' in value && 'ignoreCase' in value && 'groups' in value;
}

/**
 * A regular expression, ready to match. If its form shows that V8 takes linear time (`Android|iPhone`, `\.php$`,
 * `^/old/(.*)`), V8 matches it in 0.05 µs; otherwise RE2 does, in 0.7 µs and more. Both have one syntax and one
 * meaning: that of JavaScript, without lookarounds and backreferences. A dot matches any character, so `%0A` in a path
 * does not evade a rule.
 */
export class Regex {
  /** The source as written. */
  readonly source: string;
  readonly ignoreCase: boolean;
  /** The number of capturing groups. */
  readonly groups: number;
  readonly #v8: RegExp | null;
  /** A global copy of the expression for all matches of a text; null until it is used. */
  #v8All: RegExp | null = null;
  readonly #linear: LinearRegex | null;
  /** The worst cost with V8. */
  readonly #bound: Bound;

  /** Throws a ValueError if the expression is invalid or cannot be matched in linear time. */
  constructor(source: string, ignoreCase: boolean) {
    const flag = ignoreCase ? 'i' : '';
    checkSyntax(source, flag);
    const { text, groups, steps, anchored } = readRegex(source, ignoreCase);
    this.source = source;
    this.ignoreCase = ignoreCase;
    this.groups = groups;
    const { fixed, perCharacter } = steps;
    // Each position of the text is tried, unless a match must begin at the first.
    this.#bound = anchored ? { fixed, perCharacter: perCharacter + 1 } : { fixed, perCharacter: fixed };
    const unanchored = perCharacter === 0 ? fixed : Number.POSITIVE_INFINITY;
    const stepsInV8 = anchored ? Math.max(perCharacter, fixed / ONCE) : unanchored;
    this.#linear = stepsInV8 <= FEW_STEPS ? null : linearRegex(text, ignoreCase, stepsInV8);
    this.#v8 = this.#linear === null ? new RegExp(text, `su${flag}`) : null;
  }

  /** Is it matched by V8? */
  get isLinearByForm(): boolean {
    return this.#v8 !== null;
  }

  /** Throws BudgetExhausted, as do the methods below. */
  test(text: string, budget: WorkBudget): boolean {
    const v8 = this.#v8;
    if (v8 === null) return (this.#linear as LinearRegex).test(text, budget);
    this.#pay(text.length, budget);
    return v8.test(text);
  }

  exec(text: string, budget: WorkBudget): Found | null {
    const v8 = this.#v8;
    if (v8 === null) return (this.#linear as LinearRegex).exec(text, budget);
    this.#pay(text.length, budget);
    return v8.exec(text);
  }

  /** The text with every match replaced by the result of `write`. */
  replace(text: string, budget: WorkBudget, write: (found: Found) => string): string {
    let edited = '';
    let run = 0;
    let isFound = false;
    for (const found of this.#matches(text, budget)) {
      const written = write(found);
      budget.spend(MATCH_STEPS + written.length / CHARACTERS_PER_STEP);
      edited += text.slice(run, found.index) + written;
      run = found.index + (found[0] as string).length;
      isFound = true;
    }
    return isFound ? edited + text.slice(run) : text;
  }

  #matches(text: string, budget: WorkBudget): IterableIterator<RegExpExecArray> {
    if (this.#v8 === null) return (this.#linear as LinearRegex).matchAll(text, budget);
    this.#pay(text.length, budget);
    this.#v8All ??= new RegExp(this.#v8, `g${this.#v8.flags}`);
    return text.matchAll(this.#v8All);
  }

  #pay(characters: number, budget: WorkBudget): void {
    const { fixed, perCharacter } = this.#bound;
    budget.spend((fixed + perCharacter * characters) / V8_STEPS);
  }
}

/** null when it is too large for RE2 and V8 may match it. */
function linearRegex(text: string, ignoreCase: boolean, stepsInV8: number): LinearRegex | null {
  try {
    return new LinearRegex(text, ignoreCase);
  } catch (error) {
    if (!(error instanceof ValueError) || stepsInV8 > MANY_STEPS) throw error;
    return null;
  }
}

function checkSyntax(source: string, flags: string): void {
  if (source.length > MAX_SOURCE) {
    throw new ValueError(
      `expected a regular expression of at most ${MAX_SOURCE} characters, got ${source.length}`,
    );
  }
  try {
    new RegExp(source, `s${flags}`);
  } catch (error) {
    const reason = (error as Error).message.replace(/^Invalid regular expression: .*: /, '');
    throw new ValueError(`bad regular expression: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`);
  }
}
