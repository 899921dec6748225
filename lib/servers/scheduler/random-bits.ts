import type { RandomSource } from './scheduler.js';

/**
 * Random numbers of 31 bits (mulberry32), not for secrets. `Math.random` allocates an object each time; these do not.
 * With a `seed`, always the same numbers.
 */
export function randomBits(seed = Math.floor(Math.random() * 2 ** 32)): RandomSource {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return (bits ^ (bits >>> 14)) >>> 1;
  };
}
