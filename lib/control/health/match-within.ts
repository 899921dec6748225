import { BudgetExhausted, WorkBudget } from '../../base/work-budget.js';
import type { Regex } from '../../config/regex.js';

/** Ten times what a request may cost: servers do not send texts made to be slow, and are asked every few seconds. */
const budget = new WorkBudget(1_000_000);

/** Does an answer to a check match? One that would take too long does not. */
export function matchesWithin(regex: Regex, text: string): boolean {
  budget.renew();
  try {
    return regex.test(text, budget);
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    return false;
  }
}
