import type { WorkBudget } from '../base/work-budget.js';
import { compileValue, type ValuePattern } from '../config/pattern.js';
import type { Regex } from '../config/regex.js';
import type { FieldMatch } from '../config/types.js';
import { readUtf8 } from '../http/percent.js';
import { tellsWay } from '../http/request-view.js';
import { type FirewallRefusal, FORBIDDEN, type GuardedRequest, type RequestGuard } from './guard.js';

const NO_VALUES: readonly string[] = Object.freeze([]);

/** Refuses requests with a field that one of the patterns matches, in any spelling; of several of a name, any will do. */
export class HeaderGuard implements RequestGuard {
  readonly name = 'header_reject';
  readonly #fields: readonly { readonly name: string; readonly value: ValuePattern<Regex> }[];

  constructor(fields: readonly FieldMatch[]) {
    this.#fields = fields.map(({ name, value }) => ({ name, value: compileValue(value) }));
  }

  judge(request: GuardedRequest): FirewallRefusal | null {
    for (const { name, value } of this.#fields) {
      const isClaim = tellsWay(name);
      // What lb tells servers of a stranger's way is always there: what the stranger claims is not.
      const values = isClaim && value.kind === 'present' ? NO_VALUES : request.spellings(name);
      for (const bytes of values) if (matches(value, bytes, request.budget)) return FORBIDDEN;
      for (const bytes of isClaim ? request.received(name) : NO_VALUES)
        if (matches(value, bytes, request.budget)) return FORBIDDEN;
    }
    return null;
  }
}

/** The bytes are read as UTF-8, in which a configuration is written. */
function matches(pattern: ValuePattern<Regex>, bytes: string, budget: WorkBudget): boolean {
  switch (pattern.kind) {
    case 'present':
      return true;
    case 'exact':
      return readUtf8(bytes) === pattern.text;
    case 'regex':
      return pattern.regex.test(readUtf8(bytes), budget);
  }
}
