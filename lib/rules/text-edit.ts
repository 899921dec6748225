import { compileRegex, type Regex } from '../config/regex.js';
import type { Edit } from '../config/types.js';
import { utf8Bytes } from '../http/percent.js';
import type { RuleContext } from './context.js';
import { type EncodingPlace, Text } from './text.js';

/** Of what is written where a text is found, for one step of the budget. */
const CHARACTERS_PER_STEP = 8;

/** Replaces every occurrence of a text or a regular expression. */
export class TextEdit {
  readonly #find: Regex | string;
  readonly #to: Text;

  constructor({ find, to }: Edit, place: EncodingPlace) {
    // Values of fields are bytes: a text of the configuration is found in them by its own.
    if (typeof find !== 'string') this.#find = compileRegex(find);
    else this.#find = place === 'field' ? utf8Bytes(find) : find;
    this.#to = new Text(to, place);
  }

  /** Throws BudgetExhausted when it would take too long, or become too long. */
  apply(text: string, context: RuleContext): string {
    const find = this.#find;
    const { budget } = context.view;
    if (typeof find !== 'string')
      return find.replace(text, budget, (found) => this.#to.render(context, found));
    if (!text.includes(find)) return text;
    return text.replaceAll(find, () => {
      const written = this.#to.render(context);
      budget.spend(1 + written.length / CHARACTERS_PER_STEP);
      return written;
    });
  }
}
