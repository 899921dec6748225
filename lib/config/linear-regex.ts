import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { processorTime } from '../base/processor-time.js';
import type { Steps } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import { BudgetExhausted, WorkBudget } from '../base/work-budget.js';

const require = createRequire(import.meta.url);
/** Loaded for the first expression: it takes 25 ms of the start of each thread, and most settings have none. */
let library: typeof import('re2js') | null = null;

/**
 * Programs larger than this are not matched by backtracking with a memory, which is the only way to find groups within
 * a budget.
 */
const MOST_STEPS = 500;
/** Size times length up to which the library backtracks. */
const BACKTRACKING_STEPS = 262_144;
/** Computing a transition of the automaton takes 3 to 10 µs in addition to its steps. */
const TRANSITION_STEPS = 150;
/** What the library caches for one expression. */
const MEMORY_BYTES = 128 * 1024;
/** The cost of a character that needs no step; measured as half a step, 10 ns. */
const CHARACTERS_PER_UNIT = 2;
/** Bits that are cleared before a search for groups, for one unit. */
const BITS_PER_UNIT = 2048;

/** The undocumented parts of the library that are used here, of exactly the version in package.json. */
interface Engine {
  readonly prog: Program;
  readonly onepass: unknown;
  readonly dfa: Dfa;
  doExecuteNFA: () => never;
}

interface Program {
  readonly inst: readonly unknown[];
  getInst(this: Program, at: number): unknown;
}

interface Dfa {
  stateBudget: number;
  memBudget: number;
  stepOrReset(this: Dfa, ...args: DfaStep): unknown;
}

/** The current state, the class of the next character, and more. */
type DfaStep = [from: { readonly next: readonly unknown[] | null }, by: number, ...unknown[]];

/** Was any expression compiled that `warmUpSteps` is for? */
let isUsed = false;
let isWarm = false;

/** The budget of the current search. Searches are synchronous, so there is one at a time. */
let payer: WorkBudget | null = null;
/** Is the text too long for the engine that takes over when the automaton is not extended? */
let mustBuild = false;

/**
 * A regular expression matched by RE2 in time linear in the text. Each step of a search is charged to a budget; a
 * search that exceeds it throws. The cost is at most the size of the program times the length of the text.
 */
export class LinearRegex {
  readonly #regex: RE2JS;
  readonly #size: number;
  /** Does one pass over the text suffice, whatever the text? */
  readonly #isOnePass: boolean;

  /** Throws a ValueError when the expression is too large. */
  constructor(source: string, ignoreCase: boolean) {
    this.#regex = compile(source, ignoreCase);
    isUsed = true;
    this.#size = this.#regex.programSize();
    if (this.#size > MOST_STEPS)
      throw new ValueError(
        `this regular expression has ${this.#size} steps, more than ${MOST_STEPS}`,
        'Make repeats such as {1,100} shorter, or write several expressions.',
      );
    const engine = this.#regex.re2() as unknown as Engine;
    this.#isOnePass = engine.onepass !== null;
    meter(engine);
  }

  test(text: string, budget: WorkBudget): boolean {
    this.#pay(text.length, budget);
    return this.#regex.test(text);
  }

  /** For `warmUpSteps`: what is found does not matter, nor whether the budget pays for it. */
  tryOn(text: string, budget: WorkBudget): void {
    try {
      this.exec(text, budget);
    } catch (error) {
      if (!(error instanceof BudgetExhausted)) throw error;
    }
  }

  /** Groups that did not take part are undefined. */
  exec(text: string, budget: WorkBudget): RegExpExecArray | null {
    // Most texts do not match, and that is found out faster than the groups.
    if (!this.#isOnePass && !this.test(text, budget)) return null;
    this.#pay(text.length, budget);
    budget.spend((this.#size * text.length) / BITS_PER_UNIT);
    return this.#regex.exec(text) as RegExpExecArray | null;
  }

  /** Every match, from left to right. */
  *matchAll(text: string, budget: WorkBudget): IterableIterator<RegExpExecArray> {
    if (!this.test(text, budget)) return;
    const matches = this.#regex.matchAll(text);
    for (;;) {
      // Work between two matches may be charged to another budget.
      payer = budget;
      budget.spend((this.#size * text.length) / BITS_PER_UNIT);
      const { value, done } = matches.next();
      if (done) return;
      yield value as RegExpExecArray;
    }
  }

  #pay(characters: number, budget: WorkBudget): void {
    payer = budget;
    mustBuild = this.#size * (characters + 1) > BACKTRACKING_STEPS;
    budget.spend(this.#isOnePass ? characters : characters / CHARACTERS_PER_UNIT);
  }
}

function compile(source: string, ignoreCase: boolean): RE2JS {
  library ??= require('re2js') as typeof import('re2js');
  const { RE2JS } = library;
  try {
    return RE2JS.compile(source, RE2JS.DOTALL | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0));
  } catch (error) {
    const { message } = error as Error;
    throw new ValueError(`bad regular expression: ${message.replace(/^error parsing regexp: /, '')}`);
  }
}

/**
 * Every engine of the library but one asks for the next instruction in the same place. The other one, which it takes for
 * long texts and large programs, copies all groups at each character: it is not used.
 *
 * Its automaton is quick where it has been before, 10 ns a character, and slow where it has not. A request builds few
 * transitions; for the rest of it, null makes the library backtrack instead, which is quicker on a text that comes once.
 */
function meter(engine: Engine): void {
  const { prog, dfa } = engine;
  ownStep ??= dfa.stepOrReset;
  dfa.stepOrReset = meteredStep;
  prog.getInst = meteredInst;
  dfa.stateBudget = MEMORY_BYTES;
  dfa.memBudget = MEMORY_BYTES;
  engine.doExecuteNFA = refuseNfa;
}

// The same functions for all expressions: V8 would compile what calls them anew for each.

let ownStep: Dfa['stepOrReset'] | null = null;

function meteredInst(this: Program, at: number): unknown {
  if (payer !== null) payer.spend(1);
  return this.inst[at];
}

function meteredStep(this: Dfa, ...[from, by, ...more]: DfaStep): unknown {
  const isKnown = from.next !== null && from.next[by] !== null;
  if (!isKnown && payer?.build(TRANSITION_STEPS, mustBuild) === false) return null;
  return (ownStep as Dfa['stepOrReset']).call(this, from, by, ...more);
}

function refuseNfa(): never {
  throw payer?.exhaust() ?? new Error('a regular expression is matched without a budget');
}

/** ms of processor time for it all, and steps of a search: it is calls that V8 counts, so they are short. */
const WARM_UP_MS = 120;
const WARM_UP_STEPS = 2000;
const WARM_UP_ROUNDS = 200;
/** Each makes the library use another of its engines, or another part of one. */
const WARM_UP: readonly (readonly [source: string, text: string])[] = [
  ['^([a-z]{1,10}-?){1,8}$', 'a'],
  ['x.*y', 'x'],
  ['(a|b|ab)*c', 'ab'],
  ['union.{0,100}select', 'union'],
  ['^(\\d+)-(\\w+)$', '12-ab'],
];

/**
 * Makes V8 compile what matches expressions before a request needs it, if there are any: interpreted, the same steps take
 * 20 times as long, which the first requests after a start would pay. Nothing where that was done.
 */
export function* warmUpSteps(): Steps<void> {
  if (!isUsed || isWarm) return;
  // Once with the automaton, once where a request may not build it: both kinds of search, and what builds.
  const searches = [new WorkBudget(WARM_UP_STEPS), new WorkBudget(WARM_UP_STEPS, 0)].flatMap((budget) =>
    WARM_UP.map(([source, text], index) => ({
      regex: new LinearRegex(source, index % 2 === 1),
      text,
      budget,
    })),
  );
  // Between the steps the thread serves requests, whose time does not count.
  let spentMs = 0;
  for (let round = 1; round < WARM_UP_ROUNDS && spentMs < WARM_UP_MS; round++) {
    for (const { regex, text, budget } of searches) {
      yield;
      const began = processorTime();
      budget.renew();
      regex.tryOn(`${text.repeat(5 + (round % 50))}${round}!`, budget);
      spentMs += processorTime() - began;
    }
  }
  isWarm = true;
}
