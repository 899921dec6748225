import { BudgetExhausted } from '../base/work-budget.js';
import type { HeaderRule } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { RuleContext } from './context.js';
import { fieldText, type Rendering } from './location.js';
import { TextEdit } from './text-edit.js';

type Rule =
  | {
      readonly kind: 'set' | 'append';
      readonly key: string;
      readonly name: string;
      readonly value: Rendering;
      /** Left out unless the client speaks https. */
      readonly secure: boolean;
    }
  | { readonly kind: 'remove'; readonly key: string }
  | { readonly kind: 'replace'; readonly key: string; readonly edit: TextEdit };

/** Changes the fields of a request or a response. */
export class HeaderRules {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly HeaderRule[]) {
    this.#rules = rules.map(compile);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The names, in lower case, of the fields whose received values are all changed or removed. */
  get names(): readonly string[] {
    return this.#rules.flatMap(({ kind, key }) => (kind === 'append' ? [] : [key]));
  }

  /** Throws BudgetExhausted if replacing in a request would take too long. */
  probe(context: RuleContext): void {
    for (const rule of this.#rules) {
      if (rule.kind !== 'replace') continue;
      for (const value of context.view.spellings(rule.key)) rule.edit.apply(value, context);
    }
  }

  /**
   * Records the changes. Values are replaced when the head is written. A value that would take too long becomes empty:
   * sending the original could reveal what the rule was meant to remove. `spared`: names, in lower case, of fields that
   * stay.
   */
  apply(edit: HeadEdit, context: RuleContext, spared: ReadonlySet<string> | null = null): void {
    for (const rule of this.#rules) {
      if (spared?.has(rule.key) === true) continue;
      switch (rule.kind) {
        case 'set':
          if (rule.secure && context.view.scheme !== 'https') break;
          edit.set(rule.key, rule.name, rule.value.render(context));
          break;
        case 'append':
          edit.append(rule.key, rule.name, rule.value.render(context));
          break;
        case 'remove':
          edit.remove(rule.key);
          break;
        case 'replace':
          edit.rewrite(rule.key, (value) => replaced(value, rule.edit, context));
          break;
      }
    }
  }
}

function replaced(value: string, edit: TextEdit, context: RuleContext): string {
  try {
    return edit.apply(value, context);
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    return '';
  }
}

function compile(rule: HeaderRule): Rule {
  const { key } = rule;
  switch (rule.kind) {
    case 'set':
    case 'append': {
      const secure = rule.kind === 'set' && rule.secure === true;
      return { kind: rule.kind, key, name: rule.name, value: fieldText(key, rule.value), secure };
    }
    case 'remove':
      return { kind: 'remove', key };
    case 'replace':
      return { kind: 'replace', key, edit: new TextEdit(rule.edit, 'field') };
  }
}
