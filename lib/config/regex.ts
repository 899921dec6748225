import { ValueError } from '../base/value-error.js';
import { growthOf } from './backtracking.js';

/**
 * Longest text that a regular expression of a configuration may be run on, in characters. Those that are let
 * through take at most the square of it: some 50 ms. A guard refuses what is longer, a condition does not match it.
 */
export const MAX_SUBJECT = 8192;

const MAX_SOURCE = 2000;

/**
 * A regular expression as it stands in a configuration. Throws a ValueError when it has a mistake, or when a client
 * could send a text that takes it ages. A dot takes any character: `%0A` in a path is no way around a rule.
 */
export function compileRegex(source: string, flags: string): RegExp {
  const regex = parse(source, `s${flags}`);
  if (source.length > MAX_SOURCE) {
    throw new ValueError(
      `expected a regular expression of at most ${MAX_SOURCE} characters, got ${source.length}`,
    );
  }
  const growth = growthOf(source, flags.includes('i') ? 'si' : 's');
  if (growth === 'exponential') {
    throw new ValueError(
      'this regular expression backtracks without bounds: a repeat can read the same text in two ways',
      'Write (a+)+ as a+, and let no two alternatives of a repeat begin alike.',
    );
  }
  if (growth === 'cubic') {
    throw new ValueError(
      'this regular expression backtracks too much: three repeats in a row can read the same text',
      'Begin with ^, drop .* at the ends, or use [^/]* in place of .*.',
    );
  }
  if (growth === 'unknown') {
    throw new ValueError(
      'how long this regular expression may take cannot be told',
      'Make it simpler, without \\1.',
    );
  }
  return regex;
}

/** How many groups it captures. */
export function countGroups(regex: RegExp): number {
  return new RegExp(`${regex.source}|`, regex.flags).exec('')!.length - 1;
}

function parse(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const reason = (error as Error).message.replace(/^Invalid regular expression: .*: /, '');
    throw new ValueError(`bad regular expression: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`);
  }
}
