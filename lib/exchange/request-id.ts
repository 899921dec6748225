import { randomBytes } from 'node:crypto';

/** No two processes begin alike. */
const START = randomBytes(10).toString('hex');
const LOW = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

let count = 0;
/** All but the last two digits, the same for 256 requests. */
let begun = '';

/** 32 hexadecimal digits that no other request has. A count: a random UUID takes six times as long (200 ns). */
export function nextRequestId(): string {
  const low = count % 256;
  if (low === 0)
    begun =
      START +
      Math.floor(count / 256)
        .toString(16)
        .padStart(10, '0');
  count++;
  return begun + (LOW[low] as string);
}
