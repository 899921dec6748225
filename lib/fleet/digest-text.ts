import type { Digest } from '../shared/keyed-hash.js';

/** A digest as the names of keys in Redis have it: 16 hexadecimal digits. */
export function keyOf(digest: Digest): string {
  const [low = 0, high = 0] = digest;
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0');
}

export function digestOf(key: string): Digest {
  return Int32Array.of(Number.parseInt(key.slice(0, 8), 16) | 0, Number.parseInt(key.slice(8), 16) | 0);
}

/** In a cluster all keys of one call have to be in one slot: the keys of clients are spread over this many slots. */
export const SHARDS = 16;

/** Which of them a key is in. */
export function shardOf(key: string): number {
  // By the end of the first word: the second one is always odd.
  return Number.parseInt(key.charAt(7), 16) % SHARDS;
}
