import type { ParamRule } from '../config/types.js';
import { percentEncode, UNRESERVED, utf8Bytes } from '../http/percent.js';
import { decodeParam } from '../http/request-view.js';
import type { RuleContext } from './context.js';
import { Text } from './text.js';

interface Rule {
  readonly name: string;
  /** The parameter as it is sent, with the equals sign. */
  readonly prefix: string;
  /** null removes the parameter. */
  readonly value: Text | null;
}

/** Changes single parameters of a query; order and encoding of the others stay. */
export class ParamRules {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly ParamRule[]) {
    this.#rules = rules.map((rule) => ({
      name: rule.name,
      prefix: `${percentEncode(utf8Bytes(rule.name), UNRESERVED)}=`,
      value: rule.kind === 'set' ? new Text(rule.value, 'param') : null,
    }));
  }

  /** `query` and the result are without the question mark. */
  apply(query: string, context: RuleContext): string {
    const pieces = query === '' ? [] : query.split('&');
    const names = pieces.map(nameOf);
    for (const { name, prefix, value } of this.#rules) {
      if (value === null) remove(pieces, names, name, 0);
      else set(pieces, names, name, prefix + value.render(context));
    }
    return pieces.join('&');
  }
}

/**
 * `piece` replaces the first parameter called `name`, or is added at the end; further parameters of the name are
 * removed.
 */
function set(pieces: string[], names: (string | null)[], name: string, piece: string): void {
  const first = names.indexOf(name);
  if (first === -1) {
    pieces.push(piece);
    names.push(name);
  } else {
    pieces[first] = piece;
    remove(pieces, names, name, first + 1);
  }
}

function remove(pieces: string[], names: (string | null)[], name: string, from: number): void {
  let kept = from;
  for (let i = from; i < pieces.length; i++) {
    if (names[i] === name) continue;
    pieces[kept] = pieces[i] as string;
    names[kept] = names[i] as string | null;
    kept++;
  }
  if (kept === pieces.length) return;
  pieces.length = kept;
  names.length = kept;
}

/** null for the empty text between two ampersands in a row. */
function nameOf(piece: string): string | null {
  if (piece === '') return null;
  const equals = piece.indexOf('=');
  return decodeParam(equals === -1 ? piece : piece.slice(0, equals));
}
