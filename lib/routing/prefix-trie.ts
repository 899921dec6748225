/** Values by path prefix, found by whole segments, the longest first. A search costs a step per segment at most. */
export class PrefixTrie<T> {
  readonly #root = new Node<T>();

  /** `prefix` as patterns have it: without a final slash, or `/` for everything. The first value for it stays. */
  add(prefix: string, value: T): void {
    let node = this.#root;
    for (const segment of prefix === '/' ? [] : prefix.slice(1).split('/')) node = node.enter(segment);
    node.value ??= value;
  }

  /** The value of the longest prefix of `path`; null when none has one. */
  find(path: string): T | null {
    let node = this.#root;
    let found = node.value;
    let start = 1;
    while (node.children !== null && start <= path.length) {
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      const child = node.children.get(path.slice(start, end));
      if (child === undefined) break;
      node = child;
      found = node.value ?? found;
      start = end + 1;
    }
    return found;
  }
}

class Node<T> {
  value: T | null = null;
  /** By segment; null for a leaf. */
  children: Map<string, Node<T>> | null = null;

  enter(segment: string): Node<T> {
    this.children ??= new Map();
    let child = this.children.get(segment);
    if (child === undefined) {
      child = new Node();
      this.children.set(segment, child);
    }
    return child;
  }
}
