import { compileRegex, type Regex } from '../config/regex.js';
import type { Edit } from '../config/types.js';
import { utf8Bytes } from '../http/percent.js';
import type { RuleContext } from './context.js';
import { type EncodingPlace, Text } from './text.js';

/** How many characters may be written for one step of the budget. */
const CHARACTERS_PER_STEP = 8;

/** Replaces every occurrence of a text or a regular expression. */
export class TextEdit {
  readonly #find: Regex | string;
  readonly #to: Text;

  constructor({ find, to }: Edit, place: EncodingPlace) {
    // Values of fields are bytes, so a text of the configuration is searched for in its UTF-8 bytes.
    if (typeof find !== 'string') this.#find = compileRegex(find);
    else this.#find = place === 'field' ? utf8Bytes(find) : find;
    this.#to = new Text(to, place);
  }

  /** Throws BudgetExhausted if it would take too long or the result would be too long. */
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
