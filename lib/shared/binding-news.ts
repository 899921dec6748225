import type { Digest } from './keyed-hash.js';
import { NewsRing, RING_HEAD } from './news-ring.js';

const IS_READ = 0;
const HEAD_WORDS = 2;
const ENTRIES = 8192;
const ENTRY_WORDS = 6;
const WORDS = HEAD_WORDS + RING_HEAD + ENTRIES * ENTRY_WORDS;

/** A sticky value that was bound, or is still in use. */
export interface BindingChange {
  readonly low: number;
  readonly high: number;
  /** The hash of the server's name. */
  readonly server: number;
  /** Seconds that it is remembered. */
  readonly expire: number;
  /** Was it bound to another server before? */
  readonly isMoved: boolean;
}

/**
 * Changes of sticky values in all threads, for the control plane, which tells other nodes. Nothing is kept until it
 * begins to read.
 */
export class BindingNews {
  #words: Int32Array;
  #ring: NewsRing;

  constructor(memory: SharedArrayBuffer | null) {
    this.#words = new Int32Array(memory ?? new SharedArrayBuffer(4 * HEAD_WORDS));
    this.#ring = ringIn(this.#words);
  }

  /** The system commits a page of it when it is first written. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * WORDS);
  }

  get isRead(): boolean {
    return this.#words[IS_READ] === 1;
  }

  /** The control plane reads from now on. */
  begin(): void {
    if (this.#words.length < WORDS) {
      this.#words = new Int32Array(BindingNews.memory());
      this.#ring = ringIn(this.#words);
    }
    Atomics.store(this.#words, IS_READ, 1);
  }

  /** False when there is no room: the change is then reported when the value is next used. */
  add(value: Digest, server: number, expire: number, isMoved: boolean): boolean {
    const number = this.#ring.claim();
    if (number === -1) return false;
    const words = this.#words;
    const at = this.#ring.at(number);
    words[at + 1] = value[0] as number;
    words[at + 2] = value[1] as number;
    words[at + 3] = server;
    words[at + 4] = expire;
    words[at + 5] = isMoved ? 1 : 0;
    this.#ring.publish(number);
    return true;
  }

  /** What came since the last call. */
  take(): BindingChange[] {
    const words = this.#words;
    const changes: BindingChange[] = [];
    for (const at of this.#ring.read())
      changes.push({
        low: words[at + 1] as number,
        high: words[at + 2] as number,
        server: words[at + 3] as number,
        expire: words[at + 4] as number,
        isMoved: words[at + 5] === 1,
      });
    return changes;
  }
}

function ringIn(words: Int32Array): NewsRing {
  return new NewsRing(words, HEAD_WORDS, ENTRIES, ENTRY_WORDS);
}
