/**
 * A hash of 31 bits: the same in every process and on every machine, and evenly distributed (FNV-1a, then the finalizer
 * of MurmurHash3). The engine would box half of all 32-bit numbers. Not for secrets: it is easy to find texts that
 * collide. Another `seed` makes an independent hash.
 */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return avalanche(hash);
}

/** Combines two hashes, evenly distributed; the order of the two matters. */
export function mixHashes(a: number, b: number): number {
  return avalanche(Math.imul(a, 0x9e3779b1) ^ b);
}

/** Every bit of the result depends on every bit of `hash`. */
function avalanche(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 1;
}
