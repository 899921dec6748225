import {
  type AliasEvent,
  EVENT_ID,
  type Event,
  getScalarValue,
  type MappingEvent,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
  YAMLException,
} from 'js-yaml';
import { LineIndex } from './line-index.js';
import type { Fault } from './problems.js';
import { type Environment, expand, plain, plainScalar } from './scalar.js';
import type { Entry, MapNode, Node, Path, Span } from './tree.js';

/** Deeper than any configuration nests, and shallow enough for the stack. */
const MAX_DEPTH = 50;
/** How many nodes aliases may add: otherwise a few lines of aliases of aliases make billions. Ten for each of 10,000 hosts. */
const MAX_ALIASED_NODES = 100_000;
/** The key whose value is a map, or a list of maps, that the map around it takes keys from (YAML 1.1). */
const MERGE_KEY = '<<';

/** An empty document; its position is the beginning of the text. */
const EMPTY: Node = { kind: 'map', entries: new Map(), span: { start: 0, end: 1 } };

/** The result of reading a YAML text. */
export interface Reading {
  /** undefined when the text cannot be parsed; an empty text is an empty map. */
  readonly document: Node | undefined;
  readonly faults: readonly Fault[];
}

/**
 * Reads one YAML document, expands `${NAME}`, and keeps the position of every node. `env` null: texts are taken as they are
 * written.
 */
export function loadTree(text: string, env: Environment | null): Reading {
  const reader = new TreeReader(text, env);
  const document = reader.read();
  return { document, faults: reader.faults };
}

/** Thrown when reading cannot go on. */
class Unreadable extends Error {}

interface Key {
  readonly name: string;
  readonly span: Span;
  /** `"<<"` in quotes is a key like any other. */
  readonly isMerge: boolean;
}

/** A merge key of a map that is being read. */
interface Merge {
  readonly key: Span;
  /** How many entries the map had before it. */
  readonly after: number;
  readonly maps: readonly MapNode[];
}

/** Builds a tree from the parser's events. Most faults are recorded and skipped, so that one run reports them all. */
class TreeReader {
  readonly faults: Fault[] = [];
  readonly #text: string;
  readonly #env: Environment | null;
  readonly #path: (string | number)[] = [];
  readonly #anchors = new Map<string, Node>();
  /** The number of nodes below a finished node, with its aliases expanded. */
  readonly #sizes = new Map<Node, number>();
  #events: readonly Event[] = [];
  #next = 0;
  #aliasedNodes = 0;

  constructor(text: string, env: Environment | null) {
    this.#text = text;
    this.#env = env;
  }

  /** The document; undefined when the text cannot be parsed. */
  read(): Node | undefined {
    try {
      this.#events = parseEvents(this.#text, { maxDepth: MAX_DEPTH });
      return this.#document();
    } catch (error) {
      if (error instanceof YAMLException) this.#syntaxFault(error);
      else if (!(error instanceof Unreadable)) throw error;
      return undefined;
    }
  }

  #document(): Node {
    if (this.#events.length === 0) return EMPTY;
    this.#next = 1;
    const root = this.#node({ start: 0, end: 1 });
    const second = this.#events[this.#next + 2];
    if (second) {
      const span = spanOf(second, this.#text);
      const mark = this.#text.lastIndexOf('---');
      this.#stop(
        // There may be nothing after the line that begins the second document.
        span.start < 0 ? { start: mark, end: mark + 3 } : span,
        'expected one document, found a second one',
        'Remove the --- line.',
      );
    }
    return root.kind === 'scalar' && root.value === null ? EMPTY : root;
  }

  /** `owner` is the position for a node without text, as after `listen:`. */
  #node(owner: Span): Node {
    const event = this.#events[this.#next++]!;
    switch (event.type) {
      case EVENT_ID.ALIAS:
        return this.#alias(event);
      case EVENT_ID.SCALAR:
        return this.#scalar(event, owner);
      case EVENT_ID.SEQUENCE:
        return this.#list(event);
      case EVENT_ID.MAPPING:
        return this.#map(event);
      case EVENT_ID.DOCUMENT:
      case EVENT_ID.POP:
        throw new TypeError(`YAML event ${event.type} where a node belongs`);
    }
  }

  #list(event: SequenceEvent): Node {
    this.#checkTag(event);
    const items: Node[] = [];
    const list: Node = { kind: 'list', items, span: spanOf(event, this.#text) };
    this.#anchor(event, list);
    let size = 1;
    while (!this.#ended()) {
      this.#path.push(items.length);
      const item = this.#node(list.span);
      this.#path.pop();
      items.push(item);
      size += this.#sizes.get(item)!;
    }
    this.#sizes.set(list, size);
    return list;
  }

  #map(event: MappingEvent): Node {
    this.#checkTag(event);
    const entries = new Map<string, Entry>();
    const map: Node = { kind: 'map', entries, span: spanOf(event, this.#text) };
    this.#anchor(event, map);
    let merge: Merge | null = null;
    let size = 1;
    while (!this.#ended()) {
      const key = this.#key();
      this.#path.push(key.name);
      if (!key.isMerge) {
        const value = this.#node(key.span);
        this.#addEntry(entries, key, value);
        size += this.#sizes.get(value)!;
      } else if (merge === null) {
        merge = { key: key.span, after: entries.size, maps: this.#mapsToMerge(key.span) };
      } else {
        this.#repeated(key.span, merge.key, 'Write one list: [*first, *second].');
        this.#mapsToMerge(key.span);
      }
      this.#path.pop();
    }
    if (merge !== null) size += this.#merge(entries, merge);
    this.#sizes.set(map, size);
    return map;
  }

  #key(): Key {
    const event = this.#events[this.#next++]!;
    const span = spanOf(event, this.#text);
    if (event.type !== EVENT_ID.SCALAR) this.#stop(span, 'expected a key such as listen', '');
    const name = event.valueStart < 0 ? '' : getScalarValue(this.#text, event);
    return { name, span, isMerge: name === MERGE_KEY && event.style === SCALAR_STYLE.PLAIN };
  }

  #addEntry(entries: Map<string, Entry>, { name, span }: Key, value: Node): void {
    const first = entries.get(name);
    if (first) this.#repeated(span, first.key, 'Join the two, or remove one.');
    else entries.set(name, { key: span, value });
  }

  #repeated(span: Span, first: Span, hint: string): void {
    const { line } = new LineIndex(this.#text).of(first);
    this.#fault(span, `given twice, first in line ${line}`, hint);
  }

  /** Reads the value of a merge key: one map or a list of maps, usually aliases. */
  #mapsToMerge(owner: Span): MapNode[] {
    const event = this.#events[this.#next]!;
    if (event.type !== EVENT_ID.SEQUENCE) {
      const map = this.#mapToMerge(owner);
      return map === null ? [] : [map];
    }
    this.#next += 1;
    this.#checkTag(event);
    const maps: MapNode[] = [];
    while (!this.#ended()) {
      const map = this.#mapToMerge(owner);
      if (map !== null) maps.push(map);
    }
    return maps;
  }

  /** One map; null where something else stands, which is reported. */
  #mapToMerge(owner: Span): MapNode | null {
    const event = this.#events[this.#next]!;
    const node = this.#node(owner);
    if (node.kind === 'map') return node;
    const isEmpty = event.type === EVENT_ID.SCALAR && event.valueStart < 0;
    const span = isEmpty ? owner : spanOf(event, this.#text);
    this.#fault(span, 'expected a map to merge, such as *name, or a list of maps', '');
    return null;
  }

  /**
   * Adds the entries of other maps where the merge key stands. Own keys take precedence, then maps that come earlier in
   * the list. The entries keep their positions: a problem is shown where it was written. Returns how many nodes were added.
   */
  #merge(entries: Map<string, Entry>, { after, maps }: Merge): number {
    const own = [...entries];
    const merged = new Map<string, Entry>();
    let size = 0;
    for (const map of maps) {
      for (const [name, entry] of map.entries) {
        if (entries.has(name) || merged.has(name)) continue;
        merged.set(name, entry);
        size += this.#sizes.get(entry.value)!;
      }
    }
    entries.clear();
    for (const [name, entry] of [...own.slice(0, after), ...merged, ...own.slice(after)])
      entries.set(name, entry);
    return size;
  }

  #scalar(event: ScalarEvent, owner: Span): Node {
    const written = event.valueStart < 0 ? '' : getScalarValue(this.#text, event);
    const span = event.valueStart < 0 ? owner : spanOf(event, this.#text);
    const asText = this.#checkTag(event) || event.style !== SCALAR_STYLE.PLAIN;
    const expansion = this.#env === null ? plain(written) : expand(written, this.#env);
    if (!expansion.ok) this.#fault(span, expansion.message, expansion.hint);
    const text = expansion.ok ? expansion.text : '';
    const node: Node = { kind: 'scalar', value: asText ? text : plainScalar(text), span };
    this.#anchor(event, node);
    this.#sizes.set(node, 1);
    return node;
  }

  #alias(event: AliasEvent): Node {
    const span = spanOf(event, this.#text);
    const name = this.#text.slice(event.anchorStart, event.anchorEnd);
    const node = this.#anchors.get(name);
    if (!node)
      this.#stop(span, `nothing is called &${name}`, `If a text begins with *, quote it: "*${name}".`);
    const size = this.#sizes.get(node);
    if (size === undefined) this.#stop(span, `*${name} stands inside &${name} itself`, '');
    this.#aliasedNodes += size;
    if (this.#aliasedNodes > MAX_ALIASED_NODES) {
      this.#stop(span, `aliases expand to more than ${MAX_ALIASED_NODES} values`, 'Write the values out.');
    }
    return node;
  }

  #anchor(event: SequenceEvent | MappingEvent | ScalarEvent, node: Node): void {
    if (event.anchorStart >= 0) this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), node);
  }

  /** True for `!!str`, the only tag that is useful here: it turns a number into text. */
  #checkTag(event: SequenceEvent | MappingEvent | ScalarEvent): boolean {
    if (event.tagStart < 0) return false;
    const tag = this.#text.slice(event.tagStart, event.tagEnd);
    if (tag === '!!str' && event.type === EVENT_ID.SCALAR) return true;
    this.#fault(
      { start: event.tagStart, end: event.tagEnd },
      `the tag ${tag} is not supported`,
      'Remove it.',
    );
    return false;
  }

  #ended(): boolean {
    if (this.#events[this.#next]!.type !== EVENT_ID.POP) return false;
    this.#next += 1;
    return true;
  }

  #fault(span: Span, message: string, hint: string): void {
    const path: Path = [...this.#path];
    this.faults.push({ span, path, message, hint });
  }

  #stop(span: Span, message: string, hint: string): never {
    this.#fault(span, message, hint);
    throw new Unreadable();
  }

  #syntaxFault({ mark, reason }: YAMLException): void {
    const start = mark?.position ?? 0;
    const tooDeep = reason.includes('maxDepth');
    const message = tooDeep ? `nested deeper than ${MAX_DEPTH} levels` : `not YAML: ${reason}`;
    this.#fault({ start, end: start + 1 }, message, tooDeep ? '' : adviseSyntax(this.#text, start, reason));
  }
}

/** The quotes of a text are part of its span; the span of a list or map is its first character. */
function spanOf(event: Event, text: string): Span {
  switch (event.type) {
    case EVENT_ID.SCALAR: {
      const quote =
        text[event.valueStart - 1] === text[event.valueEnd] && /["']/.test(text[event.valueEnd] ?? '');
      const widen = quote && event.style !== SCALAR_STYLE.PLAIN ? 1 : 0;
      return { start: tagStart(event) ?? event.valueStart - widen, end: event.valueEnd + widen };
    }
    case EVENT_ID.ALIAS:
      return { start: event.anchorStart - 1, end: event.anchorEnd };
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      return { start: tagStart(event) ?? event.start, end: event.start + 1 };
    case EVENT_ID.DOCUMENT:
    case EVENT_ID.POP:
      return { start: text.length, end: text.length };
  }
}

function tagStart(event: ScalarEvent | SequenceEvent | MappingEvent): number | undefined {
  return event.tagStart < 0 ? undefined : event.tagStart;
}

function adviseSyntax(text: string, position: number, reason: string): string {
  const lineStart = text.lastIndexOf('\n', position - 1) + 1;
  const line = text.slice(lineStart).split('\n', 1)[0] ?? '';
  if (/^ *\t/.test(line)) return 'Indent with spaces.';
  if (/[{[].*\$\{/.test(line)) return 'Inside { } and [ ] put a $-expression in quotes.';
  if (/:\s+[{@`%]/.test(line)) return 'Put a text that begins with { @ ` or % in quotes.';
  if (reason.startsWith('bad indentation')) {
    return /: .*: /.test(line)
      ? 'Put a text with a colon in quotes.'
      : 'Keys of one map begin in one column.';
  }
  if (/flow collection|deficient indentation/.test(reason)) return 'Is a quote, [ or { above not closed?';
  return adviseColon(text.slice(0, lineStart).split('\n'));
}

/** `listen 8080` begins a text that goes on until the next line with a colon, where the parser stops. */
function adviseColon(lines: readonly string[]): string {
  for (const [index, line] of lines.entries()) {
    const [, key, value] = /^([a-z_]+)[ =]+([^:#]+?)\s*$/.exec(line) ?? [];
    if (key !== undefined) return `Line ${index + 1} has no colon. Write ${key}: ${value}.`;
  }
  return '';
}
