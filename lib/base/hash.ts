/**
 * 31 bits that stand for a text: the same in every process and on every machine, and spread evenly (FNV-1a, then the
 * finalizer of MurmurHash3). A number of 32 would be boxed by the engine half of the time. Not for secrets: whoever
 * knows it can make texts that collide.
 * Another `seed` gives another number: texts that share one hardly share both.
 */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return avalanche(hash);
}

/** Two such numbers made into one, spread as evenly; the order of the two counts. */
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
