import type { Steps } from './slices.js';

/** Objects of a chunk: a message between threads is read as a whole, which should take a millisecond or two. */
const OBJECTS = 3000;
/** Stands for the next of the chunk's values instead of the number of an object. */
const VALUE = -1;
/** Steps between two pauses. */
const OBJECTS_A_STEP = 64;

/**
 * Some objects of a graph, ordered so that each comes after all that it refers to. For each object the codes hold its
 * shape, for an array also its length, and then for each property the number of an object, or `VALUE`.
 */
export interface GraphChunk {
  /** Names of the properties of each shape that earlier chunks did not have; null for arrays. */
  readonly shapes: readonly (readonly string[] | null)[];
  readonly codes: Int32Array<ArrayBuffer>;
  /** Texts, numbers and everything else that is neither an object nor an array; views of buffers. */
  readonly values: readonly unknown[];
}

/**
 * Splits a graph of plain objects and arrays into chunks that can be posted to another thread. Objects that are shared
 * in the graph are shared in the copy.
 */
export function encodeGraph(root: object): readonly GraphChunk[] {
  return new Encoder().encode(root);
}

class Encoder {
  readonly #chunks: GraphChunk[] = [];
  readonly #numbers = new Map<object, number>();
  readonly #shapes = new Map<string, number>();
  #newShapes: (readonly string[] | null)[] = [];
  #codes: number[] = [];
  #values: unknown[] = [];
  #inChunk = 0;

  encode(root: object): readonly GraphChunk[] {
    this.#add(root);
    if (this.#inChunk > 0) this.#endChunk();
    return this.#chunks;
  }

  /** Configurations are nested at most a few dozen levels deep. */
  #add(object: object): void {
    const isArray = Array.isArray(object);
    const items: readonly unknown[] = isArray ? object : Object.values(object);
    for (const item of items) if (isNode(item) && !this.#numbers.has(item)) this.#add(item);
    this.#codes.push(this.#shapeOf(isArray ? null : Object.keys(object)));
    if (isArray) this.#codes.push(items.length);
    for (const item of items) {
      if (isNode(item)) {
        this.#codes.push(this.#numbers.get(item) as number);
      } else {
        this.#codes.push(VALUE);
        this.#values.push(item);
      }
    }
    this.#numbers.set(object, this.#numbers.size);
    if (++this.#inChunk === OBJECTS) this.#endChunk();
  }

  #shapeOf(keys: readonly string[] | null): number {
    const text = keys === null ? '' : JSON.stringify(keys);
    let shape = this.#shapes.get(text);
    if (shape === undefined) {
      shape = this.#shapes.size;
      this.#shapes.set(text, shape);
      this.#newShapes.push(keys);
    }
    return shape;
  }

  #endChunk(): void {
    this.#chunks.push({
      shapes: this.#newShapes,
      codes: Int32Array.from(this.#codes),
      values: this.#values,
    });
    this.#newShapes = [];
    this.#codes = [];
    this.#values = [];
    this.#inChunk = 0;
  }
}

/** An object or an array, which gets a number. */
function isNode(item: unknown): item is object {
  return typeof item === 'object' && item !== null && !ArrayBuffer.isView(item);
}

/**
 * Builds the graph from its chunks, in steps, and freezes it. `next` returns the next chunk, and null after the last.
 */
export function* decodeGraph(next: () => GraphChunk | null): Steps<unknown> {
  const objects: unknown[] = [];
  const shapes: (readonly string[] | null)[] = [];
  for (let chunk = next(); chunk !== null; chunk = next()) {
    yield;
    for (const shape of chunk.shapes) shapes.push(shape);
    yield* decodeChunk(chunk, shapes, objects);
    yield;
  }
  return objects.at(-1);
}

function* decodeChunk(
  { codes, values }: GraphChunk,
  shapes: readonly (readonly string[] | null)[],
  objects: unknown[],
): Steps<void> {
  let value = 0;
  let decoded = 0;
  const item = (code: number): unknown => (code === VALUE ? values[value++] : objects[code]);
  for (let at = 0; at < codes.length; ) {
    const keys = shapes[codes[at++] as number] as readonly string[] | null;
    if (keys === null) {
      const list: unknown[] = [];
      for (let left = codes[at++] as number; left > 0; left--) list.push(item(codes[at++] as number));
      objects.push(Object.freeze(list));
    } else {
      const object: Record<string, unknown> = {};
      for (const key of keys) object[key] = item(codes[at++] as number);
      objects.push(Object.freeze(object));
    }
    if (++decoded % OBJECTS_A_STEP === 0) yield;
  }
}
