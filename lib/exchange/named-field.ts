import { equalsWord } from '../http/fields.js';
import type { MessageHead } from '../http/head.js';

/** The first field of this name (lower case) that has a value, or -1; for names that have no number of their own. */
export function indexOfField(head: MessageHead, name: string): number {
  const { text, offsets } = head;
  for (let i = 0; i < head.fieldCount; i++) {
    if (!equalsWord(text, offsets[i * 4] as number, offsets[i * 4 + 1] as number, name)) continue;
    if (head.valueEnd(i) > head.valueStart(i)) return i;
  }
  return -1;
}
