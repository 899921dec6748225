import { LineIndex, type Position } from './line-index.js';
import type { Path, Span } from './tree.js';

/** Lists at the top of a file that are continued by the files it includes. */
export const CONTINUED_LISTS: ReadonlySet<string> = new Set(['hosts', 'paths', 'routes', 'tests']);

/** A file that the settings file includes. */
export interface IncludedFile {
  /** As it is shown: `conf.d/shop.yaml`. */
  readonly file: string;
  /** How many lines the files before it have: the numbers of lines in a configuration go on from file to file (`lineIn`). */
  readonly linesBefore: number;
}

/** One file that settings were read from. */
interface Source {
  /** As it is shown; empty for the text that settings are read from first, whose name its reader knows. */
  readonly file: string;
  readonly text: string;
  /** Where it begins in the text of all files. */
  readonly start: number;
  /** How many lines are before its first one. */
  readonly linesBefore: number;
  readonly lines: LineIndex;
  /** How many items the lists of the files before it have. */
  readonly itemsBefore: ReadonlyMap<string, number>;
}

/** Where a span is. */
export interface Place extends Position {
  /** The included file; empty for the first text. */
  readonly file: string;
}

/**
 * The texts that settings are read from: the first one, and the files it includes. Spans are positions in all of them,
 * one after the other, and so are the numbers of lines in a configuration (`line`): a number is enough, and sorts.
 */
export class SourceTexts {
  readonly #sources: Source[] = [];
  /** How the first text is called in messages about others; may be empty. */
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds a text. Returns where it begins. `itemsBefore`: how many items its lists continue. */
  add(file: string, text: string, itemsBefore: ReadonlyMap<string, number> = new Map()): number {
    const last = this.#sources.at(-1);
    const start = last === undefined ? 0 : last.start + last.text.length + 1;
    const linesBefore = last === undefined ? 0 : last.linesBefore + last.lines.count;
    this.#sources.push({ file, text, start, linesBefore, lines: new LineIndex(text), itemsBefore });
    return start;
  }

  /** The included files, by the name under which problems are shown. */
  get texts(): ReadonlyMap<string, string> {
    return new Map(this.#included.map(({ file, text }) => [file, text]));
  }

  /** For `lineIn`. */
  get included(): IncludedFile[] {
    return this.#included.map(({ file, linesBefore }) => ({ file, linesBefore }));
  }

  get #included(): readonly Source[] {
    return this.#sources.slice(1);
  }

  /** File, line and column of a span. A start of -1 (in no text) is line 0. */
  of(span: Span): Place {
    const source = this.#sourceOf(span);
    if (source === null) return { file: '', line: 0, column: 0, length: 1 };
    const { file, lines, start } = source;
    return { file, ...lines.of({ start: span.start - start, end: span.end - start }) };
  }

  /** The number of the line among those of all texts; 0 when it is in none. */
  lineOf(span: Span): number {
    const source = this.#sourceOf(span);
    return source === null ? 0 : source.linesBefore + this.of(span).line;
  }

  /** The path of a setting as a reader of its file counts: lists that are continued begin with 0 in each file. */
  pathIn(span: Span, path: Path): Path {
    const [list = '', index, ...rest] = path;
    if (typeof index !== 'number') return path;
    return [list, index - (this.#sourceOf(span)?.itemsBefore.get(String(list)) ?? 0), ...rest];
  }

  /** How a message about something at `from` names the place of `span`: `line 3`, or `conf.d/a.yaml:3` in another file. */
  nameOf(span: Span, from: Span): string {
    const { file, line } = this.of(span);
    if (this.of(from).file === file) return `line ${line}`;
    const name = file === '' ? this.#name : file;
    return name === '' ? `line ${line} of the settings` : `${name}:${line}`;
  }

  #sourceOf({ start }: Span): Source | null {
    if (start < 0) return null;
    let low = 0;
    let high = this.#sources.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#sources[middle]?.start ?? 0) <= start) low = middle;
      else high = middle;
    }
    return this.#sources[low] ?? null;
  }
}

/** The file and the line in it of a `line` of a configuration; `file` is the settings file, `included` what it includes. */
export function lineIn(
  line: number,
  file: string,
  included: readonly IncludedFile[],
): { readonly file: string; readonly line: number } {
  const source = included.findLast(({ linesBefore }) => linesBefore < line);
  return source === undefined ? { file, line } : { file: source.file, line: line - source.linesBefore };
}

/** The same for JSON: `file` is missing where it is the settings file itself. */
export function placeJson(
  line: number,
  included: readonly IncludedFile[],
): { readonly file?: string; readonly line: number } {
  const { file, ...place } = lineIn(line, '', included);
  return file === '' ? place : { file, ...place };
}
