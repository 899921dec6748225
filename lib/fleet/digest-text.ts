import type { Digest } from '../shared/keyed-hash.js';

/** A digest as the names of keys in Redis have it: 16 hexadecimal digits. */
export function keyOf(digest: Digest): string {
  const [low = 0, high = 0] = digest;
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0');
}

export function digestOf(key: string): Digest {
  return Int32Array.of(Number.parseInt(key.slice(0, 8), 16) | 0, Number.parseInt(key.slice(8), 16) | 0);
}
