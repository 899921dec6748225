import type { WorkBudget } from '../base/work-budget.js';
import { compileValue, type ValuePattern } from '../config/pattern.js';
import type { Regex } from '../config/regex.js';
import type { FieldMatch } from '../config/types.js';
import { readUtf8 } from '../http/percent.js';
import { tellsWay } from '../http/request-view.js';
import { type FirewallRefusal, FORBIDDEN, type GuardedRequest, type RequestGuard } from './guard.js';

const NO_VALUES: readonly string[] = Object.freeze([]);

/** Refuses requests with a field that a pattern matches, in any spelling; one matching value of several suffices. */
export class HeaderGuard implements RequestGuard {
  readonly name = 'header_reject';
  readonly #fields: readonly { readonly name: string; readonly value: ValuePattern<Regex> }[];

  constructor(fields: readonly FieldMatch[]) {
    this.#fields = fields.map(({ name, value }) => ({ name, value: compileValue(value) }));
  }

  judge(request: GuardedRequest): FirewallRefusal | null {
    for (const { name, value } of this.#fields) {
      const isClaim = tellsWay(name);
      // Fields that lb itself sends to servers are always present: only what a client that is not trusted claims
      // counts.
      const values = isClaim && value.kind === 'present' ? NO_VALUES : request.spellings(name);
      for (const bytes of values) if (matches(value, bytes, request.budget)) return FORBIDDEN;
      for (const bytes of isClaim ? request.received(name) : NO_VALUES)
        if (matches(value, bytes, request.budget)) return FORBIDDEN;
    }
    return null;
  }
}

/** The bytes are read as UTF-8, the encoding of configurations. */
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
