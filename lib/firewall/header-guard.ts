import type { WorkBudget } from '../base/work-budget.js';
import type { ValuePattern } from '../config/pattern.js';
import type { FieldMatch } from '../config/types.js';
import { readUtf8 } from '../http/percent.js';
import { FORBIDDEN, type GuardedRequest, type Refusal, type RequestGuard } from './guard.js';

/** Refuses requests with a field that one of the patterns matches, in any spelling; of several of a name, any will do. */
export class HeaderGuard implements RequestGuard {
  readonly name = 'header_reject';
  readonly #fields: readonly FieldMatch[];

  constructor(fields: readonly FieldMatch[]) {
    this.#fields = fields;
  }

  judge(request: GuardedRequest): Refusal | null {
    for (const { name, value } of this.#fields) {
      for (const bytes of request.spellings(name))
        if (matches(value, bytes, request.budget)) return FORBIDDEN;
    }
    return null;
  }
}

/** The bytes are read as UTF-8, in which a configuration is written. */
function matches(pattern: ValuePattern, bytes: string, budget: WorkBudget): boolean {
  switch (pattern.kind) {
    case 'present':
      return true;
    case 'exact':
      return readUtf8(bytes) === pattern.text;
    case 'regex':
      return pattern.regex.test(readUtf8(bytes), budget);
  }
}
