/** The most texts that are kept. */
const MOST_KEPT = 512;
/** The most with the same keys: they are looked through one by one. */
const MOST_PER_KEY = 32;
/** Longer texts are not kept: clients choose the host and the user agent. */
const MOST_BYTES = 4096;

type SecondKey = string | number;

interface Kept<Kind> {
  readonly kind: Kind;
  readonly bytes: Uint8Array;
}

/**
 * Bytes of texts that many requests have alike, each made once. Found by comparing values: a key of all values, made as JSON
 * for every request, took 1 µs.
 */
export class ByteCache<Kind extends object> {
  readonly #alike: (one: Kind, other: Kind) => boolean;
  readonly #make: (kind: Kind) => string;
  readonly #kept = new Map<string, Map<SecondKey, Kept<Kind>[]>>();
  #count = 0;

  /** `make` returns a text in ASCII, the same for kinds that are `alike`. */
  constructor(alike: (one: Kind, other: Kind) => boolean, make: (kind: Kind) => string) {
    this.#alike = alike;
    this.#make = make;
  }

  /**
   * The bytes for `kind`, which the caller may change afterwards. The keys: the two values of the kind that tell most of
   * them apart, so that only a few have both alike.
   */
  of(first: string, second: SecondKey, kind: Kind): Uint8Array {
    const kept = this.#kept.get(first)?.get(second);
    if (kept !== undefined)
      for (let i = 0; i < kept.length; i++) {
        const one = kept[i] as Kept<Kind>;
        if (this.#alike(one.kind, kind)) return one.bytes;
      }
    return this.#add(first, second, kind);
  }

  #add(first: string, second: SecondKey, kind: Kind): Uint8Array {
    const bytes = new Uint8Array(Buffer.from(this.#make(kind), 'latin1'));
    if (bytes.length > MOST_BYTES) return bytes;
    // A full cache is mostly full of what came once: what comes often is soon kept again.
    if (this.#count >= MOST_KEPT) {
      this.#kept.clear();
      this.#count = 0;
    }
    const kept = this.#listOf(first, second);
    if (kept.length >= MOST_PER_KEY) this.#count -= kept.splice(0).length;
    kept.push({ kind: withOwnTexts(kind), bytes });
    this.#count++;
    return bytes;
  }

  #listOf(first: string, second: SecondKey): Kept<Kind>[] {
    const lists = this.#kept.get(first) ?? new Map<SecondKey, Kept<Kind>[]>();
    if (lists.size === 0) this.#kept.set(ownCopy(first), lists);
    const list = lists.get(second) ?? [];
    if (list.length === 0) lists.set(typeof second === 'string' ? ownCopy(second) : second, list);
    return list;
  }
}

function withOwnTexts<Kind extends object>(kind: Kind): Kind {
  const entries = Object.entries(kind).map(([name, value]) => [
    name,
    typeof value === 'string' ? ownCopy(value) : (value as unknown),
  ]);
  return Object.fromEntries(entries) as Kind;
}

/** V8 makes a slice of a text refer to all of it: that would keep whole heads of requests. */
function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
