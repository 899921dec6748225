import { ValueError } from './units.js';

/** An object of JSON or YAML, of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value that was read from JSON or YAML is an object, and no list. */
export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that `value` has to be. `what` names it in the ValueError that is thrown otherwise. */
export function mapOf(value: unknown, what: string): Fields {
  if (isRecord(value)) return value;
  throw new ValueError(`expected a map as ${what}`);
}
