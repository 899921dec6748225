import { randomBytes } from 'node:crypto';
import type { IpAddress } from '../base/ip-address.js';

/** The result of a hash: two words; `digest[1]` is never 0, which marks an entry as empty. Valid until the next hash. */
export type Digest = Int32Array;

const digest: Digest = new Int32Array(2);

/**
 * Hashes of clients and texts, 63 bits, by a key of 64 bits (HalfSipHash with one round per word and three at the end).
 * Without the key nobody can find two clients with one hash, or clients whose entries push out a certain other one.
 * Allocates nothing.
 */
export class KeyedHash {
  readonly #k0: number;
  readonly #k1: number;

  constructor(k0: number, k1: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /** A random key. */
  static seed(): readonly [number, number] {
    const bytes = randomBytes(8);
    return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
  }

  /** Another hash, for what `name` stands for: the same in every thread. */
  derive(name: string): KeyedHash {
    const key = this.ofText(Buffer.from(name).toString('latin1'));
    return new KeyedHash(key[0] as number, key[1] as number);
  }

  /** Half of the key, which tells scopes apart: two of them seldom have the same half. */
  get scope(): number {
    return this.#k0;
  }

  /** The whole key: the same for hashes that are the same. */
  get identity(): string {
    return `${this.#k0} ${this.#k1}`;
  }

  /** Writes the two words of the key, for another thread to make the same hash of. */
  write(words: Int32Array, at: number): void {
    words[at] = this.#k0;
    words[at + 1] = this.#k1;
  }

  /** What a client is counted by: its address, or the /64 of an IPv6 client. */
  ofClient(address: IpAddress): Digest {
    const { version } = address;
    const isV6 = version === 6;
    return this.#ofWords(version, address.word(isV6 ? 0 : 3), isV6 ? address.word(1) : 0);
  }

  /** `text`: a byte string. `kind` tells apart the same text with several meanings. */
  ofText(text: string, kind = 0): Digest {
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    const { length } = text;
    // The kind and the length come first; then four bytes make a word.
    for (let i = -8; i < length; i += 4) {
      let word = length;
      if (i === -8) word = kind;
      else if (i >= 0) {
        word = text.charCodeAt(i);
        if (i + 1 < length) word |= text.charCodeAt(i + 1) << 8;
        if (i + 2 < length) word |= text.charCodeAt(i + 2) << 16;
        if (i + 3 < length) word |= text.charCodeAt(i + 3) << 24;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return finish(v0, v1, v2, v3);
  }

  #ofWords(a: number, b: number, c: number): Digest {
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    for (let i = 0; i < 3; i++) {
      const word = i === 0 ? a : i === 1 ? b : c;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return finish(v0, v1, v2, v3);
  }
}

/** Three more rounds, after which every bit of the result depends on every bit of key and text. */
function finish(a: number, b: number, c: number, d: number): Digest {
  let v0 = a;
  let v1 = b;
  let v2 = c ^ 0xee;
  let v3 = d;
  for (let i = 0; i < 3; i++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  digest[0] = v1 ^ v3;
  digest[1] = (v0 ^ v2) | 1;
  return digest;
}
