import { stripVTControlCharacters } from 'node:util';

/**
 * The text in lines of at most `width` characters, broken at spaces; all lines but the first begin with `indent` spaces.
 * Colours take no room. A word that is longer than a line stays whole, so that it can be copied.
 */
export function wrapWords(text: string, width: number, indent = 0): string {
  const [first = '', ...words] = text.split(' ');
  let wrapped = first;
  let room = width - lengthOf(first);
  let isAtStart = first === '';
  for (const word of words) {
    const length = lengthOf(word);
    if (length + 1 > room && !isAtStart) {
      wrapped += `\n${' '.repeat(indent)}${word}`;
      room = width - indent - length;
    } else {
      wrapped += ` ${word}`;
      room -= length + 1;
    }
    isAtStart &&= word === '';
  }
  return wrapped;
}

function lengthOf(word: string): number {
  return stripVTControlCharacters(word).length;
}
