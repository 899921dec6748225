import { append } from '../base/collections.js';
import { ValueError } from '../base/units.js';

/**
 * The worst cost of backtracking over a text of `n` characters, as `fixed + perCharacter * n`; infinite if it may grow
 * faster.
 */
export interface Bound {
  readonly fixed: number;
  readonly perCharacter: number;
}

/** A parsed regular expression. */
export interface RegexSource {
  /** The same expression in a form that both engines read alike: V8 with the flags `su`, RE2 with `(?s)`. */
  readonly text: string;
  /** The number of capturing groups. */
  readonly groups: number;
  /** The steps of one attempt at one position of the text. */
  readonly steps: Bound;
  /** Whether a match can begin only at the start of the text. */
  readonly anchored: boolean;
}

/** A part of an expression. */
interface Piece {
  readonly text: string;
  /** In how many ways it may match at one position: each is tried when what follows fails. */
  readonly ways: Bound;
  readonly steps: Bound;
  readonly canBeEmpty: boolean;
  readonly anchored: boolean;
  /** The ASCII text that it matches, in lower case if case is ignored; null when it matches more than one text. */
  readonly word: string | null;
}

const ONE: Bound = { fixed: 1, perCharacter: 0 };
const WHITE_SPACE = '\\t-\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff';
const NO_WHITE_SPACE =
  '\\x00-\\x08\\x0e-\\x1f!-\u009f\u00a1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\u{10ffff}';
const WORD = '0-9A-Z_a-z';
/** `\W` without two letters whose lower case is a word character: with case ignored, `[\W]` would match k and s. */
const NO_WORD = '\\x00-/:-@\\[-\\^`{-\u017e\u0180-\u2129\u212b-\u{10ffff}';
const CLASSES: { readonly [letter: string]: string } = {
  d: '0-9',
  D: '\\x00-/:-\u{10ffff}',
  w: WORD,
  s: WHITE_SPACE,
  S: NO_WHITE_SPACE,
};
const CONTROLS: { readonly [letter: string]: string } = {
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  0: '\0',
};
/** Syntax of other languages, and what it means in JavaScript. */
const FOREIGN: { readonly [letter: string]: string } = {
  A: 'Write ^ for the beginning of the text.',
  z: 'Write $ for the end of the text.',
  Z: 'Write $ for the end of the text.',
  h: 'Write [ \\t].',
  R: 'Write \\r?\\n.',
  p: 'Write the characters out, such as [a-zà-ÿ].',
  P: 'Write the characters out, such as [^a-zà-ÿ].',
};

/**
 * Parses the source of an expression that V8 has accepted. Throws a ValueError for what cannot be matched in linear
 * time (lookarounds, backreferences), and for escapes that mean something else in other languages.
 */
export function readRegex(source: string, ignoreCase: boolean): RegexSource {
  const reader = new Reader(source, ignoreCase);
  const { text, steps, anchored } = reader.choice();
  return { text, steps, anchored, groups: reader.groups };
}

class Reader {
  groups = 0;
  readonly #source: string;
  readonly #ignoreCase: boolean;
  #at = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#source = source;
    this.#ignoreCase = ignoreCase;
  }

  choice(): Piece {
    const pieces = [this.#sequence()];
    while (this.#take(/\|/y) !== undefined) pieces.push(this.#sequence());
    return pieces.length === 1 ? (pieces[0] as Piece) : joinChoice(pieces);
  }

  #sequence(): Piece {
    let whole: Piece = EMPTY;
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at] as string)) {
      whole = joinSequence(whole, this.#repeated(this.#atom()));
    }
    return whole;
  }

  #repeated(item: Piece): Piece {
    const quantifier = this.#take(/(?:[*+?]|\{\d+(?:,\d*)?\})\??/y);
    if (quantifier === undefined) return item;
    const [, from, comma, to] = /^\{(\d+)(,?)(\d*)\}/.exec(quantifier) ?? [];
    if (from === undefined) {
      const min = quantifier.startsWith('+') ? 1 : 0;
      return repeat(item, quantifier, min, quantifier.startsWith('?') ? 1 : Number.POSITIVE_INFINITY);
    }
    const max = to !== '' ? Number(to) : comma === ',' ? Number.POSITIVE_INFINITY : Number(from);
    if (Math.max(Number(from), max === Number.POSITIVE_INFINITY ? 0 : max) > MOST_REPEATS)
      throw new ValueError(`a repeat of more than ${MOST_REPEATS}: ${quantifier}`);
    return repeat(item, quantifier, Number(from), max);
  }

  #atom(): Piece {
    const start = this.#at;
    if (this.#take(/\(\?<?[=!]/y) !== undefined) throw this.#lookaround(start);
    if (this.#take(/\(\?(?!:|<)/y) !== undefined)
      throw new ValueError(`${this.#place(start)}: this (? begins no group that is supported`);
    const open = this.#take(/\((?:\?:|\?<[^>]*>)?/y);
    if (open !== undefined) return this.#group(open === '(?:' ? '(?:' : '(');
    const assertion = this.#take(/[\^$]|\\[bB]/y);
    if (assertion !== undefined)
      return { ...EMPTY, text: assertion, anchored: assertion === '^', word: null };
    if (this.#take(/\\(?:[1-9]|k<)/y) !== undefined) throw this.#backreference(start);
    if (this.#take(/\./y) !== undefined) return one('.');
    if (this.#take(/\[/y) !== undefined) return one(this.#class());
    const set = this.#take(/\\[dDwWsS]/y)?.[1];
    if (set === undefined) return this.#literal(this.#character());
    return one(set === 'W' ? `[^${WORD}]` : `[${CLASSES[set]}]`);
  }

  #group(open: string): Piece {
    if (open === '(') this.groups += 1;
    const body = this.choice();
    this.#take(/\)/y);
    const plain = open === '(?:' ? body.word : null;
    return { ...body, text: `${open}${body.text})`, steps: add(body.steps, ONE), word: plain };
  }

  #literal(character: string): Piece {
    const text = /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
    const plain = /^[\x00-\x7f]$/.test(character);
    const word = this.#ignoreCase ? character.toLowerCase() : character;
    return { ...one(text), word: plain ? word : null };
  }

  /** Parses a class, the part between brackets. */
  #class(): string {
    const negated = this.#take(/\^/y) !== undefined;
    let text = '';
    while (this.#take(/\]/y) === undefined) {
      const set = this.#set();
      if (set !== undefined) {
        text += set;
        continue;
      }
      text += inClass(this.#member());
      // In `[a-\d]` the hyphen stands for itself.
      if (this.#take(/-(?!\]|\\[dDwWsS])/y) !== undefined) text += `-${inClass(this.#member())}`;
    }
    if (text === '') return negated ? '[\\x00-\u{10ffff}]' : '[^\\x00-\u{10ffff}]';
    return `[${negated ? '^' : ''}${text}]`;
  }

  /** The ranges that an escape such as `\d` stands for. A hyphen after it begins no range: `[\w-x]`. */
  #set(): string | undefined {
    const letter = this.#take(/\\[dDwWsS]/y)?.[1];
    if (letter === undefined) return undefined;
    const hyphen = this.#take(/-(?!\])/y) === undefined ? '' : '\\-';
    if (letter !== 'W') return `${CLASSES[letter]}${hyphen}`;
    return `${NO_WORD}${this.#ignoreCase ? '' : '\u017f\u212a'}${hyphen}`;
  }

  #member(): string {
    return this.#take(/\\b/y) !== undefined ? '\b' : this.#character();
  }

  /** A single character, in any notation. */
  #character(): string {
    const start = this.#at;
    const code = this.#take(/\\x[\da-f]{2}|\\u[\da-f]{4}|\\u\{[\da-f]{1,6}\}/iy);
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code.replace(/[^\da-f]/gi, ''), 16));
    const control = this.#take(/\\c[a-z]/iy);
    if (control !== undefined) return String.fromCharCode(control.charCodeAt(2) & 31);
    const escaped = this.#take(/\\[\s\S]/uy)?.slice(1);
    if (escaped === undefined) return this.#take(/[\s\S]/uy) as string;
    const meant = CONTROLS[escaped];
    if (meant !== undefined && !(escaped === '0' && this.#take(/\d/y) !== undefined)) return meant;
    if (!/[\da-z]/i.test(escaped)) return escaped;
    throw new ValueError(
      `${this.#place(start)}: \\${escaped} means nothing here`,
      FOREIGN[escaped] ?? `Write ${escaped} without the backslash.`,
    );
  }

  #lookaround(start: number): ValueError {
    const end = this.#endOfGroup(start);
    const piece = this.#source.slice(start, end);
    return new ValueError(
      `${this.#place(start)}: ${piece} looks around, which cannot be done in linear time`,
      adviseOnLookaround(this.#source, piece, start, end),
    );
  }

  #backreference(start: number): ValueError {
    return new ValueError(
      `${this.#place(start)}: \\${this.#source[start + 1]} refers back to a group, which cannot be done in linear time`,
      'Write out what it may be: ("|\')x\\1 is "x"|\'x\'.',
    );
  }

  #place(at: number): string {
    return `character ${at + 1}`;
  }

  #endOfGroup(start: number): number {
    let depth = 0;
    const tokens = /\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|[()]/gy;
    for (let at = start; at < this.#source.length; at++) {
      tokens.lastIndex = at;
      const [token] = tokens.exec(this.#source) ?? [];
      if (token === '(') depth += 1;
      if (token === ')' && --depth === 0) return at + 1;
      if (token !== undefined) at += token.length - 1;
    }
    return this.#source.length;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [text] = pattern.exec(this.#source) ?? [];
    if (text !== undefined) this.#at += text.length;
    return text;
  }
}

const EMPTY: Piece = { text: '', ways: ONE, steps: ONE, canBeEmpty: true, anchored: false, word: '' };
const MOST_REPEATS = 1000;
const UNBOUNDED: Bound = { fixed: Number.POSITIVE_INFINITY, perCharacter: Number.POSITIVE_INFINITY };
/** More ways than these count as infinite. */
const MOST = 1e9;

function one(text: string): Piece {
  return { text, ways: ONE, steps: ONE, canBeEmpty: false, anchored: false, word: null };
}

function inClass(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}

function joinSequence(before: Piece, after: Piece): Piece {
  return {
    text: before.text + after.text,
    ways: times(before.ways, after.ways),
    steps: add(before.steps, times(before.ways, after.steps)),
    canBeEmpty: before.canBeEmpty && after.canBeEmpty,
    anchored: before.anchored || (before.text === '' && after.anchored),
    word: before.word === null || after.word === null ? null : before.word + after.word,
  };
}

function joinChoice(pieces: readonly Piece[]): Piece {
  let ways: Bound = { fixed: 0, perCharacter: 0 };
  let steps = ONE;
  let words: string[] = [];
  const flush = (): void => {
    const [most, length] = wordBounds(words);
    ways = add(ways, { fixed: most, perCharacter: 0 });
    steps = add(steps, { fixed: length, perCharacter: 0 });
    words = [];
  };
  for (const piece of pieces) {
    if (piece.word !== null && piece.word !== '') {
      words.push(piece.word);
      continue;
    }
    flush();
    ways = add(ways, piece.ways);
    steps = add(steps, piece.steps);
  }
  flush();
  return {
    text: pieces.map(({ text }) => text).join('|'),
    ways,
    steps,
    canBeEmpty: pieces.some(({ canBeEmpty }) => canBeEmpty),
    anchored: pieces.every(({ anchored }) => anchored),
    word: null,
  };
}

/**
 * For alternatives that are words: how many can match at one position, and how many steps that takes. V8 sorts them and
 * compares common prefixes once.
 */
function wordBounds(words: readonly string[]): [ways: number, steps: number] {
  const rests = new Map<string, string[]>();
  let ended = 0;
  for (const word of words) {
    if (word === '') ended += 1;
    else append(rests, word.charAt(0), word.slice(1));
  }
  let ways = 0;
  let steps = 0;
  for (const rest of rests.values()) {
    const [more, further] = wordBounds(rest);
    ways = Math.max(ways, more);
    steps = Math.max(steps, further);
  }
  return [ended + ways, rests.size + steps];
}

function repeat(item: Piece, quantifier: string, min: number, max: number): Piece {
  const { ways, steps } = max === Number.POSITIVE_INFINITY ? endless(item) : upTo(item, min, max);
  return {
    text: item.text + quantifier,
    ways,
    steps,
    canBeEmpty: item.canBeEmpty || min === 0,
    anchored: item.anchored && min > 0,
    word: null,
  };
}

/** A loop that may end after each round; each round must advance, and in one way. */
function endless({ ways, steps, canBeEmpty }: Piece): Pick<Piece, 'ways' | 'steps'> {
  if (canBeEmpty || ways.fixed !== 1 || ways.perCharacter !== 0) return { ways: UNBOUNDED, steps: UNBOUNDED };
  const rounds = { fixed: 1, perCharacter: 1 };
  return { ways: rounds, steps: times(rounds, steps) };
}

function upTo({ ways, steps, canBeEmpty }: Piece, min: number, max: number): Pick<Piece, 'ways' | 'steps'> {
  if (canBeEmpty && max > 1) return { ways: UNBOUNDED, steps: UNBOUNDED };
  let reached = ONE;
  let allWays: Bound = { fixed: min === 0 ? 1 : 0, perCharacter: 0 };
  let allSteps = ONE;
  for (let round = 1; round <= max; round++) {
    allSteps = add(allSteps, times(reached, steps));
    reached = times(reached, ways);
    if (round >= min) allWays = add(allWays, reached);
  }
  return { ways: allWays, steps: allSteps };
}

function add(one: Bound, other: Bound): Bound {
  return capped(one.fixed + other.fixed, one.perCharacter + other.perCharacter);
}

function times(one: Bound, other: Bound): Bound {
  if (one.perCharacter > 0 && other.perCharacter > 0) return UNBOUNDED;
  if (one === UNBOUNDED || other === UNBOUNDED) return UNBOUNDED;
  return capped(one.fixed * other.fixed, one.fixed * other.perCharacter + one.perCharacter * other.fixed);
}

function capped(fixed: number, perCharacter: number): Bound {
  return fixed > MOST || perCharacter > MOST ? UNBOUNDED : { fixed, perCharacter };
}

/** An equivalent expression, if there is one. */
function adviseOnLookaround(source: string, piece: string, start: number, end: number): string {
  const isBehind = piece.startsWith('(?<');
  const isNegative = piece.charAt(isBehind ? 3 : 2) === '!';
  const body = piece.slice(isBehind ? 4 : 3, -1);
  const before = source.slice(0, start);
  const after = source.slice(end);
  const isLast = after === '' && !isBehind;
  const isFirst = before === '' && isBehind;
  if (!isNegative && isLast) return `Write ${before}(?:${body}): what comes after is part of the match then.`;
  if (!isNegative && isFirst)
    return `Write (?:${body})${after}: what comes before is part of the match then.`;
  const other = otherThan(body);
  if (isNegative && isLast && other !== null) return `Write ${before}(?:${other}|$).`;
  if (isNegative && isFirst && other !== null) return `Write (?:^|${other})${after}.`;
  if (isNegative) return 'Write a separate route or path before this one for what it must not match.';
  return 'Write two conditions, or both orders: a.*b|b.*a.';
}

/** The class of all characters except those that `body` matches; null when `body` is more than one character. */
function otherThan(body: string): string | null {
  if (/^[^\\^$.*+?()[\]{}|]$/u.test(body)) return `[^${body}]`;
  if (/^\[\^(?:\\.|[^\]\\])+\]$/.test(body)) return `[${body.slice(2)}`;
  if (/^\[(?:\\.|[^\]\\])+\]$/.test(body)) return `[^${body.slice(1)}`;
  if (/^\\[dws]$/.test(body)) return body.toUpperCase().replace('\\', '\\');
  return /^\\[^\da-z]$/i.test(body) ? `[^${body}]` : null;
}
