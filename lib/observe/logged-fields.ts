import { shownFieldValue } from './shown-field.js';

/** A longer value is cut, so that no client makes lines of 32 KB. */
export const LONGEST_VALUE = 256;
const CUT = '...';
/** This much of a field is read: more than is shown, as masked values are shorter. */
const LONGEST_READ = 8 * LONGEST_VALUE;

/** Reads the fields of a head that the settings name for the access log. */
export class LoggedFields {
  /** In lower case, in the order of the settings. */
  readonly names: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #masksAddresses: boolean;

  constructor(names: readonly string[], masksAddresses: boolean) {
    this.names = names;
    this.#indexes = new Map(names.map((name, index) => [name, index]));
    this.#masksAddresses = masksAddresses;
  }

  /** One value for each of the names; those of several fields of one name are joined by commas. null: there is none. */
  valuesOf(text: string): readonly (string | null)[] {
    const values: (string | null)[] = this.names.map(() => null);
    // The first line is the start line.
    for (let start = nextLine(text, 0); start < text.length; start = nextLine(text, start)) {
      const colon = text.indexOf(':', start);
      if (colon === -1) break;
      const name = text.slice(start, colon).trimEnd().toLowerCase();
      const index = this.#indexes.get(name);
      if (index === undefined) continue;
      const end = text.indexOf('\n', colon);
      const value = this.#shown(
        name,
        text.slice(colon + 1, Math.min(end === -1 ? text.length : end, colon + LONGEST_READ)).trim(),
      );
      const before = values[index] as string | null;
      values[index] = before === null ? value : `${before}, ${value}`;
    }
    return values.map((value) => value && cut(value));
  }

  #shown(name: string, value: string): string {
    return shownFieldValue(name, value, this.#masksAddresses);
  }
}

function nextLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end + 1;
}

function cut(value: string): string {
  return value.length <= LONGEST_VALUE ? value : value.slice(0, LONGEST_VALUE - CUT.length) + CUT;
}
