/**
 * The shape of a regular expression, as far as it matters for how long matching may take: what consumes a
 * character, in which order, how often. Anchors and lookarounds consume none.
 */
export type Syntax =
  | { readonly kind: 'one'; readonly set: bigint }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly Syntax[] }
  | { readonly kind: 'repeat'; readonly item: Syntax; readonly min: number; readonly max: number };

export interface Shape {
  readonly syntax: Syntax;
  /** Whether a match can begin only where the text begins. */
  readonly anchored: boolean;
  /** The bodies of lookarounds, which are matched on their own. */
  readonly lookarounds: readonly Syntax[];
  readonly hasBackreference: boolean;
}

/** Bit n is the character n of Latin-1; the last bit stands for all others. */
export const ALL: bigint = (1n << 257n) - 1n;
const OTHERS = 1n << 256n;

/** Reads the source of a valid regular expression without the flags m, u and v. */
export function readShape(source: string, flags: string): Shape {
  const reader = new Reader(source, flags);
  const syntax = reader.choice();
  const { lookarounds, hasBackreference } = reader;
  return { syntax, anchored: isAnchored(source), lookarounds, hasBackreference };
}

/** Every alternative at the top begins with `^`. A bar in a group or class makes the answer no, which is safe. */
function isAnchored(source: string): boolean {
  return source.startsWith('^') && (/^\^\((?!\?[=!<])[^()]*\)\$?$/.test(source) || !topLevelBar(source));
}

function topLevelBar(source: string): boolean {
  let depth = 0;
  for (const [token] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[()|]/gs)) {
    if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (token === '|' && depth === 0) return true;
  }
  return false;
}

class Reader {
  readonly lookarounds: Syntax[] = [];
  hasBackreference = false;
  readonly #source: string;
  readonly #flags: string;
  readonly #sets = new Map<string, bigint>();
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  choice(): Syntax {
    const items = [this.#sequence()];
    while (this.#take(/\|/y) !== undefined) items.push(this.#sequence());
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  #sequence(): Syntax {
    const items: Syntax[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at]!)) {
      items.push(this.#repeated(this.#atom()));
    }
    return { kind: 'sequence', items };
  }

  #repeated(item: Syntax): Syntax {
    const quantifier = this.#take(/(?:[*+?]|\{\d+(?:,\d*)?\})\??/y);
    if (quantifier === undefined) return item;
    const [, from = '', comma, to = ''] = /^\{(\d+)(,?)(\d*)\}/.exec(quantifier) ?? [];
    if (from !== '') {
      const max = to !== '' ? Number(to) : comma === ',' ? Number.POSITIVE_INFINITY : Number(from);
      return { kind: 'repeat', item, min: Number(from), max };
    }
    const min = quantifier.startsWith('+') ? 1 : 0;
    return { kind: 'repeat', item, min, max: quantifier.startsWith('?') ? 1 : Number.POSITIVE_INFINITY };
  }

  #atom(): Syntax {
    const open = this.#take(/\((?:\?(?:[:=!]|<[=!]|<[^>]+>))?/y);
    if (open !== undefined) return this.#group(open);
    if (this.#take(/[\^$]|\\b/iy) !== undefined) return { kind: 'nothing' };
    if (this.#take(/\\(?:[1-9]\d*|k<[^>]*>)/y) !== undefined) {
      this.hasBackreference = true;
      return { kind: 'nothing' };
    }
    const token = this.#take(/\[(?:\\.|[^\]\\])*\]|\\(?:x[\da-f]{2}|u[\da-f]{4}|c[a-z]|.)|./isy)!;
    return { kind: 'one', set: this.#setOf(token) };
  }

  #group(open: string): Syntax {
    const body = this.choice();
    this.#take(/\)/y);
    if (!/^\(\?<?[=!]$/.test(open)) return body;
    this.lookarounds.push(body);
    return { kind: 'nothing' };
  }

  /** Asks the engine itself which characters a `[class]`, an escape or a plain character takes. */
  #setOf(token: string): bigint {
    let set = this.#sets.get(token);
    if (set !== undefined) return set;
    const regex = new RegExp(`^(?:${token})$`, this.#flags);
    set = regex.test('\u0416') || /[^\x00-\xff]|\\u/.test(token) ? OTHERS : 0n;
    for (let code = 0; code < 256; code++) {
      if (regex.test(String.fromCharCode(code))) set |= 1n << BigInt(code);
    }
    this.#sets.set(token, set);
    return set;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [text] = pattern.exec(this.#source) ?? [];
    if (text !== undefined) this.#at += text.length;
    return text;
  }
}
