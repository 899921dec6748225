import type { RandomSource } from '../../lib/servers/scheduler/scheduler.js';

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function seeded(seed: number): RandomSource {
  const state = Uint32Array.of(seed);
  return () => {
    state[0] = (state[0] as number) + 0x6d2b79f5;
    let bits = state[0] | 0;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
