import { BudgetExhausted, WorkBudget } from '../../base/work-budget.js';
import type { ValuePattern } from '../../config/pattern.js';
import { compileRegex, type Regex } from '../../config/regex.js';
import { statusIn } from '../../config/statuses.js';
import type { HealthCheckConfig } from '../../config/types.js';
import type { ResponseHead } from '../../http/head.js';
import { readUtf8 } from '../../http/percent.js';

/** Why the head of an answer is not as expected, for people; empty when it is. */
export function objectionToHead(check: HealthCheckConfig, head: ResponseHead): string {
  if (!statusIn(check.expectStatus, head.status)) return `status ${head.status}`;
  for (const { name, value } of check.expectHeaders) {
    const values = valuesOf(head, name);
    if (values.length === 0) return `no header ${name}`;
    if (!values.some((text) => matches(value, text))) return `header ${name} is not as expected`;
  }
  return '';
}

function valuesOf(head: ResponseHead, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.nameAt(i).toLowerCase() === name) values.push(head.valueAt(i));
  }
  return values;
}

/** Bytes are decoded as UTF-8, like a configuration. */
function matches(pattern: ValuePattern, bytes: string): boolean {
  switch (pattern.kind) {
    case 'present':
      return true;
    case 'exact':
      return readUtf8(bytes) === pattern.text;
    case 'regex':
      return matchesWithin(compileRegex(pattern.regex), readUtf8(bytes));
  }
}

/** Ten times the budget of a request: servers do not send texts made to be slow, and are checked only every few seconds. */
const budget = new WorkBudget(1_000_000);

/** Does an answer to a check match? False if matching would take too long. */
export function matchesWithin(regex: Regex, text: string): boolean {
  budget.renew();
  try {
    return regex.test(text, budget);
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    return false;
  }
}
