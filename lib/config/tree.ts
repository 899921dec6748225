/** The position of a node in the text, as offsets; `none` for settings of the command line or a program. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const none: Span = { start: -1, end: -1 };

/** A document with positions. An alias is the same object as its anchor, with the anchor's position. */
export type Node =
  | { readonly kind: 'scalar'; readonly value: Scalar; readonly span: Span }
  | { readonly kind: 'list'; readonly items: Node[]; readonly span: Span }
  | { readonly kind: 'map'; readonly entries: Map<string, Entry>; readonly span: Span };

export type MapNode = Extract<Node, { readonly kind: 'map' }>;

export type Scalar = string | number | boolean | null;

export interface Entry {
  readonly key: Span;
  readonly value: Node;
}

/** From the top of the document to one of its nodes: `['hosts', 0, 'servers']`. */
export type Path = readonly (string | number)[];

/** The plain value of a node, for the schema and the compiler. Shared nodes become shared values. */
export function toValue(node: Node, seen = new Map<Node, unknown>()): unknown {
  if (node.kind === 'scalar') return node.value;
  let value = seen.get(node);
  if (value === undefined) {
    value =
      node.kind === 'list'
        ? node.items.map((item) => toValue(item, seen))
        : Object.fromEntries([...node.entries].map(([key, entry]) => [key, toValue(entry.value, seen)]));
    seen.set(node, value);
  }
  return value;
}

/** Makes a tree without positions. undefined values are left out. */
export function toNode(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(toNode), span: none };
  if (typeof value !== 'object' || value === null)
    return { kind: 'scalar', value: value as Scalar, span: none };
  const entries = new Map<string, Entry>();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) entries.set(key, { key: none, value: toNode(item) });
  }
  return { kind: 'map', entries, span: none };
}

/** Puts `over` on top of `base`: maps are merged key by key, everything else is replaced. */
export function merge(base: Node, over: Node): Node {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const below = base.entries.get(key);
    entries.set(key, below ? { key: below.key, value: merge(below.value, entry.value) } : entry);
  }
  return { kind: 'map', entries, span: base.span };
}

/** A copy whose positions are `by` further on. What is shared in it is shared in the copy. */
export function shifted(node: Node, by: number, seen = new Map<Node, Node>()): Node {
  const known = seen.get(node);
  if (known !== undefined) return known;
  const move = ({ start, end }: Span): Span => ({ start: start + by, end: end + by });
  const span = move(node.span);
  let copy: Node;
  if (node.kind === 'scalar') copy = { ...node, span };
  else if (node.kind === 'list')
    copy = { kind: 'list', items: node.items.map((item) => shifted(item, by, seen)), span };
  else {
    const entries = new Map<string, Entry>();
    for (const [name, { key, value }] of node.entries)
      entries.set(name, { key: move(key), value: shifted(value, by, seen) });
    copy = { kind: 'map', entries, span };
  }
  seen.set(node, copy);
  return copy;
}

/**
 * The position for a problem with the key or value at `path`; if nothing is there, the position of what should hold it.
 */
export function locate(root: Node, path: Path, part: 'key' | 'value'): Span {
  let node = root;
  let key: Span | undefined;
  for (const segment of path) {
    const entry = node.kind === 'map' ? node.entries.get(String(segment)) : undefined;
    const next = node.kind === 'list' ? node.items[Number(segment)] : entry?.value;
    if (!next) return key ?? node.span;
    key = entry?.key;
    node = next;
  }
  // A map or list starts below its key, and the key is the better position.
  return key && (part === 'key' || node.kind !== 'scalar') ? key : node.span;
}

/** `hosts[0].header_rules.add.X-Client`; a key that is no plain word is quoted. */
export function formatPath(path: Path): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (/^[\w-]+$/.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${JSON.stringify(segment)}]`;
  }
  return text;
}
