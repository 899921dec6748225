import type { CookieRule } from '../config/types.js';
import { trimSpace } from '../http/fields.js';
import type { RuleContext } from './context.js';
import { Text } from './text.js';

interface Rule {
  readonly name: string;
  /** null removes the cookie. */
  readonly value: Text | null;
}

/** Changes single cookies in the Cookie fields of a request; the others stay as written. */
export class CookieRules {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly CookieRule[]) {
    this.#rules = rules.map((rule) => ({
      name: rule.name,
      value: rule.kind === 'set' ? new Text(rule.value, 'cookie') : null,
    }));
  }

  /** Changes the values of Cookie fields: a field without cookies becomes empty, a new field is added at the end. */
  apply(fields: readonly string[], context: RuleContext): string[] {
    const edited = [...fields];
    for (const { name, value } of this.#rules) {
      edit(edited, name, value === null ? null : `${name}=${value.render(context)}`);
    }
    return edited;
  }
}

/**
 * `pair` replaces the first cookie called `name`, or is added after all others; further cookies of the name are
 * removed.
 */
function edit(fields: string[], name: string, pair: string | null): void {
  let placed = pair === null;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as string;
    if (!field.includes(name)) continue;
    const kept: string[] = [];
    const pairs = field.split(';');
    for (const old of pairs) {
      if (nameOf(old) !== name) {
        kept.push(old);
      } else if (pair !== null && !placed) {
        kept.push(kept.length === 0 ? pair : ` ${pair}`);
        placed = true;
      }
    }
    const edited = kept.join(';');
    if (edited !== field) fields[i] = trimSpace(edited);
  }
  if (pair === null || placed) return;
  const last = fields.findLastIndex((field) => field !== '');
  if (last === -1) fields.push(pair);
  else fields[last] = `${withoutEnd(fields[last] as string)}; ${pair}`;
}

/**
 * Removes semicolons and blanks at the end. Written by hand: a regular expression would take quadratic time for a field
 * full of them.
 */
function withoutEnd(field: string): string {
  let end = field.length;
  while (end > 0 && '; \t'.includes(field.charAt(end - 1))) end--;
  return field.slice(0, end);
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return equals === -1 ? '' : trimSpace(pair.slice(0, equals));
}
