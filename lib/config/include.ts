import { readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { whyUnreadable } from '../base/regular-file.js';
import { loadTree } from './load.js';
import type { Fault } from './problems.js';
import type { Environment } from './scalar.js';
import { CONTINUED_LISTS, SourceTexts } from './sources.js';
import { type Entry, type MapNode, type Node, type Span, shifted } from './tree.js';

/** How deep files may include files. Nobody nests that deep on purpose. */
const MAX_DEPTH = 8;
/** How many files may be included in all. */
const MAX_FILES = 10_000;
const INCLUDE = 'include';

/** What is needed to read settings and the files they include. */
export interface SettingsSource {
  readonly env: Environment;
  /** The name of the settings file, for messages; empty when the text is in none. */
  readonly file: string;
  /** The folder that names of files are relative to. */
  readonly directory: string;
  readonly readFile: (path: string, maxBytes?: number) => string;
  /** The names of what is in a folder and is no folder; by default of a folder of the system. */
  readonly readFolder?: (path: string) => string[];
}

/** The names of what is in a folder and is no folder. Throws the system's error. */
export function filesIn(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

/** What was read: the settings of all files as one document. */
export interface SettingsDocument {
  /** undefined when one of the texts cannot be parsed or read. */
  readonly document: Node | undefined;
  readonly faults: readonly Fault[];
  readonly sources: SourceTexts;
  /** Paths of the files that were included, and of the folders where others may appear. */
  readonly files: readonly string[];
}

/** One file while it is read. */
interface OpenFile {
  /** As it is shown; empty for a text that is in no file. */
  readonly name: string;
  /** The folder that names in it are relative to; absolute. */
  readonly folder: string;
  /** The files that led here, and this one; absolute. */
  readonly chain: readonly string[];
}

/** The name of a file that is to be included, and where it is written. */
interface Wanted {
  readonly name: string;
  readonly span: Span;
}

/** Reads settings, and the files that `include` names, and joins them: maps key by key, and the lists that may be continued. */
export function readDocument(text: string, source: SettingsSource): SettingsDocument {
  const reader = new IncludeReader(source);
  const document = reader.read(text);
  const { faults, sources, files } = reader;
  return { document: reader.isBroken ? undefined : document, faults, sources, files: [...files] };
}

class IncludeReader {
  readonly faults: Fault[] = [];
  readonly sources: SourceTexts;
  readonly files = new Set<string>();
  /** Is a file missing or no YAML? Then what was not read is not reported as missing. */
  isBroken = false;
  readonly #source: SettingsSource;
  /** Where each file was included first, by its path. */
  readonly #included = new Map<string, Span>();
  /** How many items the lists that are continued have so far. */
  readonly #items = new Map<string, number>();
  #joined: MapNode | null = null;

  constructor(source: SettingsSource) {
    this.#source = source;
    this.sources = new SourceTexts(source.file);
  }

  read(text: string): Node | undefined {
    const { file, directory } = this.#source;
    const document = this.#load('', text);
    if (document?.kind !== 'map') return document;
    this.#joined = { kind: 'map', entries: new Map(), span: document.span };
    this.#join(document);
    const chain = file === '' ? [] : [resolve(file)];
    this.#includeFrom(document, { name: file, folder: resolve(directory), chain });
    return this.#joined;
  }

  /** Parses a text; undefined if it is no YAML. */
  #load(file: string, text: string): Node | undefined {
    const start = this.sources.add(file, text, new Map(this.#items));
    const { document, faults } = loadTree(text, this.#source.env);
    for (const { span, ...fault } of faults)
      this.faults.push({ ...fault, span: { start: span.start + start, end: span.end + start } });
    if (document === undefined) this.isBroken = true;
    return document && (start === 0 ? document : shifted(document, start));
  }

  /** Includes what a document asks for, in its order. */
  #includeFrom(document: MapNode, from: OpenFile): void {
    const entry = document.entries.get(INCLUDE);
    if (entry === undefined) return;
    for (const wanted of this.#wanted(entry)) {
      const names = /[*?]/.test(wanted.name) ? this.#matching(wanted, from) : [wanted.name];
      for (const name of names) this.#include({ ...wanted, name }, from);
    }
  }

  /** The names of an `include`. Anything else is reported. */
  #wanted({ key, value }: Entry): Wanted[] {
    const wanted: Wanted[] = [];
    for (const node of value.kind === 'list' ? value.items : [value]) {
      const span = node.kind === 'scalar' ? node.span : key;
      if (node.kind === 'scalar' && typeof node.value === 'string' && node.value !== '')
        wanted.push({ name: node.value, span });
      else this.#fault(span, 'expected the name of a file, such as conf.d/*.yaml, or a list of them');
    }
    return wanted;
  }

  /** The files that a name with `*` or `?` in its last part stands for, sorted by name. */
  #matching({ name, span }: Wanted, from: OpenFile): string[] {
    const pattern = basename(name);
    const folder = dirname(name);
    if (/[*?]/.test(folder)) {
      this.#fault(span, `${name}: * and ? stand in the last part of a name only`);
      return [];
    }
    const path = resolve(from.folder, folder);
    this.files.add(path);
    try {
      const isWanted = matcher(pattern);
      const { readFolder = filesIn } = this.#source;
      const found = readFolder(path).filter(
        (name) => isWanted(name) && !from.chain.includes(join(path, name)),
      );
      return found.map((name) => join(folder, name)).sort();
    } catch (error) {
      this.#broken(span, `${name} cannot be read: ${whyUnreadable(error)}`);
      return [];
    }
  }

  #include({ name, span }: Wanted, from: OpenFile): void {
    const path = resolve(from.folder, name);
    const shown = isAbsolute(name) ? name : join(dirname(from.name), name);
    const first = this.#included.get(path);
    if (from.chain.includes(path)) this.#fault(span, `${name} includes itself`);
    else if (first !== undefined)
      this.#fault(span, `${name} is included twice, first in ${this.sources.nameOf(first, span)}`);
    else if (from.chain.length > MAX_DEPTH) this.#fault(span, `files are nested deeper than ${MAX_DEPTH}`);
    else if (this.#included.size >= MAX_FILES)
      this.#broken(span, `more than ${MAX_FILES} files are included`);
    else {
      this.#included.set(path, span);
      this.files.add(path);
      this.#open(path, { name: shown, folder: dirname(path), chain: [...from.chain, path] }, span);
    }
  }

  #open(path: string, file: OpenFile, span: Span): void {
    let text: string;
    try {
      text = this.#source.readFile(path);
    } catch (error) {
      this.#broken(span, `${file.name} cannot be read: ${whyUnreadable(error)}`);
      return;
    }
    const document = this.#load(file.name, text);
    if (document === undefined) return;
    if (document.kind !== 'map') {
      this.#fault(document.span, 'expected settings such as hosts: in a file that is included', '', []);
      return;
    }
    this.#join(document);
    this.#includeFrom(document, file);
  }

  /** Adds a document to what was read before. Keys that begin with `x-` hold anchors, which are known in their file only. */
  #join({ entries }: MapNode): void {
    const joined = this.#joined as MapNode;
    for (const [key, entry] of entries) {
      if (key === INCLUDE || key.startsWith('x-')) continue;
      this.#put(joined.entries, key, entry, [key]);
      const { value } = entry;
      if (CONTINUED_LISTS.has(key) && value.kind === 'list')
        this.#items.set(key, (this.#items.get(key) ?? 0) + value.items.length);
    }
  }

  #put(entries: Map<string, Entry>, key: string, entry: Entry, path: readonly string[]): void {
    const known = entries.get(key);
    const { value } = entry;
    const before = known?.value;
    const isContinued = path.length === 1 && CONTINUED_LISTS.has(key) && value.kind === 'list';
    if (known === undefined) {
      // The list of the first file is left alone: an alias may stand for it.
      entries.set(
        key,
        isContinued ? { key: entry.key, value: { ...value, items: [...value.items] } } : entry,
      );
    } else if (before?.kind === 'map' && value.kind === 'map') {
      const inner = new Map(before.entries);
      for (const [name, item] of value.entries) this.#put(inner, name, item, [...path, name]);
      entries.set(key, { key: known.key, value: { ...before, entries: inner } });
    } else if (isContinued && before?.kind === 'list') {
      for (const item of value.items) before.items.push(item);
    } else {
      const place = this.sources.nameOf(known.key, entry.key);
      this.#fault(entry.key, `given twice, first in ${place}`, 'Remove one of the two.', path);
    }
  }

  #broken(span: Span, message: string): void {
    this.isBroken = true;
    this.#fault(span, message);
  }

  #fault(span: Span, message: string, hint = '', path: readonly string[] = [INCLUDE]): void {
    this.faults.push({ span, path, message, hint });
  }
}

/** Whether a name of a file fits a pattern. Hidden files have to be asked for with a dot, as in a shell. */
function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  // Two stars after each other say no more than one, and cost much.
  const regex = new RegExp(`^${source.replace(/(?:\.\*){2,}/g, '.*')}$`, 's');
  return (name) => regex.test(name) && (pattern.startsWith('.') || !name.startsWith('.'));
}
