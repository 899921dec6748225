import { MAX_SUBJECT } from '../config/regex.js';
import type { Edit } from '../config/types.js';
import { utf8Bytes } from '../http/percent.js';
import type { RuleContext } from './context.js';
import { type Place, Text } from './text.js';

/** Replaces every occurrence of a text or a regular expression. */
export class TextEdit {
  readonly #find: RegExp | string;
  readonly #to: Text;

  constructor({ find, to }: Edit, place: Place) {
    // Values of fields are bytes: a text of the configuration is found in them by its own.
    this.#find = place === 'field' && typeof find === 'string' ? utf8Bytes(find) : find;
    this.#to = new Text(to, place);
  }

  /** A text that is longer than a regular expression should be run on stays as it is. */
  apply(text: string, context: RuleContext): string {
    const find = this.#find;
    if (typeof find === 'string') {
      return text.includes(find) ? text.replaceAll(find, () => this.#to.render(context)) : text;
    }
    if (text.length > MAX_SUBJECT) return text;
    let edited = '';
    let run = 0;
    for (const found of text.matchAll(find)) {
      edited += text.slice(run, found.index) + this.#to.render(context, found);
      run = found.index + found[0].length;
    }
    return run === 0 && edited === '' ? text : edited + text.slice(run);
  }
}
