import type { ParamRule } from '../config/types.js';
import { percentEncode, UNRESERVED, utf8Bytes } from '../http/percent.js';
import { decodeParam } from '../http/request-view.js';
import type { RuleContext } from './context.js';
import { Text } from './text.js';

interface Rule {
  readonly name: string;
  /** As it is sent, with the equals sign. */
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

  /** `query` and what comes back are without the question mark. */
  apply(query: string, context: RuleContext): string {
    let edited = query;
    for (const { name, prefix, value } of this.#rules) {
      edited = edit(edited, name, value === null ? null : prefix + value.render(context));
    }
    return edited;
  }
}

/** `piece` takes the place of the first parameter called `name`, or the last place; the others of the name go. */
function edit(query: string, name: string, piece: string | null): string {
  const pieces = query === '' ? [] : query.split('&');
  const kept: string[] = [];
  let placed = piece === null;
  for (const old of pieces) {
    if (old === '' || nameOf(old) !== name) {
      kept.push(old);
    } else if (piece !== null && !placed) {
      kept.push(piece);
      placed = true;
    }
  }
  if (piece !== null && !placed) kept.push(piece);
  return kept.join('&');
}

function nameOf(piece: string): string {
  const equals = piece.indexOf('=');
  return decodeParam(equals === -1 ? piece : piece.slice(0, equals));
}
