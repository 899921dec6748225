import type { Template } from '../config/template.js';
import type { RuleContext } from './context.js';
import { Location } from './location.js';
import { Text } from './text.js';

/** A compiled template. */
export interface Rendering {
  /** A byte string. */
  render(context: RuleContext): string;
}

/** Fields whose value clients follow as a URL (RFC 9110, 8.7 and 10.2.2). */
const URL_FIELDS: ReadonlySet<string> = new Set(['location', 'content-location']);

/** Compiles the text for the field called `key` (lower case). */
export function fieldText(key: string, template: Template): Rendering {
  return URL_FIELDS.has(key) ? new Location(template) : new Text(template, 'field');
}
