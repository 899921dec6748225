import { ValueError } from '../base/units.js';
import type { Finding } from './problems.js';
import type { Path } from './tree.js';

/** Collects the problems that the compiler finds, so that it can continue after each. */
export class Report {
  readonly findings: Finding[] = [];
  readonly warnings: Finding[] = [];

  problem(path: Path, message: string, hint = '', part: Finding['part'] = 'value'): void {
    this.findings.push({ path, part, message, hint });
  }

  /** A problem caused by the setting at `earlier`, whose line is added to the message. */
  repeated(path: Path, message: string, earlier: Path, hint = ''): void {
    this.findings.push({ path, part: 'value', message, earlier, hint });
  }

  /** The same as a warning, because it may be intended for a while. */
  repeatedWarning(path: Path, message: string, earlier: Path): void {
    this.warnings.push({ path, part: 'value', message, earlier, hint: '' });
  }

  warning(path: Path, message: string, hint = ''): void {
    this.warnings.push({ path, part: 'value', message, hint });
  }

  /**
   * Returns what `read` returns. If `read` throws a ValueError, that becomes a problem at `path`, and undefined is
   * returned.
   */
  attempt<T>(path: Path, read: () => T, part: Finding['part'] = 'value'): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      this.problem(path, error.message, error.hint, part);
      return undefined;
    }
  }
}

/** The items of a list with the path of each; items that were refused before are skipped. */
export function* each<T>(list: readonly T[] | undefined, path: Path): Generator<[item: T, path: Path]> {
  for (const [index, item] of (list ?? []).entries()) {
    if (item !== undefined) yield [item, [...path, index]];
  }
}

/** A value and all it holds, frozen; tables of numbers cannot be. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
