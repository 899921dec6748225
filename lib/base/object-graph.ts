import type { Steps } from './slices.js';

/** Objects of a chunk: each message between threads is read at once, and is to take a millisecond or two. */
const OBJECTS = 3000;
/** In place of a number of an object: the next of the chunk's values. */
const VALUE = -1;
/** Steps between two rests. */
const OBJECTS_A_STEP = 64;

/**
 * Some objects of a graph, in an order in which each comes after all that it refers to. Of each object the codes hold its
 * shape, of an array its length too, and then for each property the number of an object, or `VALUE`.
 */
export interface GraphChunk {
  /** Names of the properties of each shape that the chunks before did not have; null for arrays. */
  readonly shapes: readonly (readonly string[] | null)[];
  readonly codes: Int32Array<ArrayBuffer>;
  /** Texts, numbers, and whatever else is no object or array; views of buffers. */
  readonly values: readonly unknown[];
}

/** A graph of plain objects and arrays as chunks that can be posted to another thread, what is shared in it included. */
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

  /** Configurations are nested a few dozen deep at most. */
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

/** An object or an array: what has a number of its own. */
function isNode(item: unknown): item is object {
  return typeof item === 'object' && item !== null && !ArrayBuffer.isView(item);
}

/** The graph of some chunks, in steps, and frozen. `next` returns one chunk after the other, and null after the last. */
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
