import { ValueError } from '../base/value-error.js';

/**
 * A regular expression as it stands in a configuration. Throws a ValueError when it has a mistake.
 */
export function compileRegex(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const reason = (error as Error).message.replace(/^Invalid regular expression: .*: /, '');
    throw new ValueError(`bad regular expression: ${lowerFirst(reason)}`);
  }
}

/** How many groups it captures. */
export function countGroups(regex: RegExp): number {
  return new RegExp(`${regex.source}|`, regex.flags).exec('')!.length - 1;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
