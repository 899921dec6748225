import type { ValuePattern } from '../config/pattern.js';
import { MAX_SUBJECT } from '../config/regex.js';
import type { FieldMatch } from '../config/types.js';
import { readUtf8 } from '../http/percent.js';
import { FORBIDDEN, type GuardedRequest, type Refusal, type RequestGuard } from './guard.js';

/** Refuses requests with a field that one of the patterns matches; of several fields of a name, any will do. */
export class HeaderGuard implements RequestGuard {
  readonly name = 'header_reject';
  readonly #fields: readonly FieldMatch[];

  constructor(fields: readonly FieldMatch[]) {
    this.#fields = fields;
  }

  judge(request: GuardedRequest): Refusal | null {
    for (const { name, value } of this.#fields) {
      for (const bytes of request.header(name)) if (matches(value, bytes)) return FORBIDDEN;
    }
    return null;
  }
}

/**
 * The bytes are read as UTF-8, in which a configuration is written. What is too long for a regular expression is
 * refused: a guard must not be passed by stuffing a field.
 */
function matches(pattern: ValuePattern, bytes: string): boolean {
  switch (pattern.kind) {
    case 'present':
      return true;
    case 'exact':
      return readUtf8(bytes) === pattern.text;
    case 'regex':
      return bytes.length > MAX_SUBJECT || pattern.regex.test(readUtf8(bytes));
  }
}
