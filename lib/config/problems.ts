import { blotLine, isSecretPath, maskUrls } from './secrets.js';
import { formatPath, locate, type Node, type Path, type Span } from './tree.js';

/** One mistake in a configuration. */
export interface Problem {
  /** From 1; 0 when it did not come from the file. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
  /** Columns to underline, at least 1. */
  readonly length: number;
  /** `hosts[0].servers[1]`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what was expected, without a full stop. */
  readonly message: string;
  /** A sentence that says what to do; may be empty. */
  readonly hint: string;
}

/** What was wrong and where, before it has a line and a column. */
export interface Finding {
  readonly path: Path;
  readonly part: 'key' | 'value';
  /** The place the message ends with: `listed twice, first in` line 3. */
  readonly earlier?: Path;
  readonly message: string;
  readonly hint: string;
}

/** A mistake whose place in the text is known. */
export interface Fault {
  readonly span: Span;
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
}

/** Colours for `renderProblems`, each a function from text to text. */
export interface Paint {
  readonly place: (text: string) => string;
  readonly path: (text: string) => string;
  readonly hint: (text: string) => string;
  readonly gutter: (text: string) => string;
  readonly mark: (text: string) => string;
}

export interface RenderOptions {
  /** The name shown before the line. */
  readonly file: string;
  /** The text of the file, for the frames. */
  readonly text: string;
  readonly paint?: Paint;
  /** So many at most, and then how many more there are; all by default. */
  readonly most?: number;
}

/** Of problems, warnings and the like, what is printed for a person at once. */
export const MOST_SHOWN = 20;

const same = (text: string): string => text;
const plain: Paint = { place: same, path: same, hint: same, gutter: same, mark: same };

/** A frame wider than this is cut around its mark. */
const FRAME_WIDTH = 100;

/** Finds lines and columns in a text by bisection: a file may be long and have many mistakes. */
export class LineIndex {
  readonly #text: string;
  readonly #lineStarts: number[] = [0];

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1);
  }

  /** Line and column of a span, and its length within the line. Start -1 (not in the text) is line 0. */
  of({ start, end }: Span): { line: number; column: number; length: number } {
    if (start < 0) return { line: 0, column: 0, length: 1 };
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#lineStarts[middle]! <= start) low = middle;
      else high = middle;
    }
    const lineEnd = (this.#lineStarts[low + 1] ?? this.#text.length + 1) - 1;
    const length = Math.max(1, Math.min(end, lineEnd) - start);
    return { line: low + 1, column: start - this.#lineStarts[low]! + 1, length };
  }

  problem({ span, path, message, hint }: Fault): Problem {
    const text = formatPath(path);
    // What a secret is instead of what it should be is nothing to read in a log or an event.
    const said = isSecretPath(text) ? message.replace(/,? got .*$/s, '') : message;
    return { ...this.of(span), path: text, message: maskUrls(said), hint: maskUrls(hint) };
  }
}

/**
 * Gives each finding its place and adds the faults of the reading. A mistake in an aliased node, found once per
 * alias, becomes one problem; what was found where there is a fault already only follows from it.
 */
export function toProblems(
  findings: readonly Finding[],
  root: Node,
  places: LineIndex,
  faults: readonly Problem[],
): Problem[] {
  const faulty = new Set(faults.map(({ line, column }) => `${line}:${column}`));
  const problems = new Map<string, Problem>();
  for (const { path, part, earlier, hint, ...finding } of findings) {
    const message = earlier ? `${finding.message} ${placeName(earlier, root, places)}` : finding.message;
    const problem = places.problem({ span: locate(root, path, part), path, message, hint });
    const place = `${problem.line}:${problem.column}`;
    const key = `${place} ${problem.line === 0 ? problem.path : ''} ${message}`;
    if (!faulty.has(place) && !problems.has(key)) problems.set(key, problem);
  }
  return [...faults, ...problems.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function placeName(path: Path, root: Node, places: LineIndex): string {
  const { line } = places.of(locate(root, path, 'value'));
  return line === 0 ? formatPath(path) : `line ${line}`;
}

/** Every problem with its place, message, hint and the line it stands in, ready to print; ends with a newline. */
export function renderProblems(problems: readonly Problem[], options: RenderOptions): string {
  const lines = options.text.split(/\r?\n/);
  const { most = problems.length } = options;
  return renderFirst(problems, most, (problem) => renderProblem(problem, lines, options), '\n');
}

/** The first `most` of some items, each by `render`, and how many more there are. */
export function renderFirst<T>(
  items: readonly T[],
  most: number,
  render: (item: T) => string,
  joint = '',
): string {
  const shown = items.slice(0, most).map(render);
  const rest = items.length - shown.length;
  return [...shown, ...(rest === 0 ? [] : [`and ${rest.toLocaleString('en-US')} more\n`])].join(joint);
}

function renderProblem(problem: Problem, lines: readonly string[], options: RenderOptions): string {
  const paint = options.paint ?? plain;
  const { line, column, path, message, hint } = problem;
  const place = line === 0 ? '' : `${paint.place(`${options.file}:${line}:${column}`)}  `;
  const subject = path === '' ? '' : `${paint.path(visible(path))}: `;
  const advice = hint === '' ? '' : `. ${paint.hint(visible(hint))}`;
  const source = lines[line - 1];
  const frame = source === undefined ? '' : renderFrame(problem, source, paint);
  return `${place}${subject}${visible(message)}${advice}\n${frame}`;
}

function renderFrame(problem: Problem, source: string, paint: Paint): string {
  const { line, column, length } = problem;
  const skipped = column + length > FRAME_WIDTH ? Math.max(0, column - FRAME_WIDTH / 2) : 0;
  const shown = visible(withoutSecrets(problem, source).slice(skipped, skipped + FRAME_WIDTH)).trimEnd();
  const indent = ' '.repeat(column - 1 - skipped);
  const mark = '^'.repeat(Math.max(1, Math.min(length, FRAME_WIDTH - indent.length)));
  const gutter = paint.gutter(`${String(line).padStart(6)} |`);
  return `${gutter} ${shown}\n${paint.gutter('       |')} ${indent}${paint.mark(mark)}\n`;
}

/** A line as it is shown; what is secret in it is blotted out, and so is the marked value where it should be a secret. */
function withoutSecrets({ path, column, length }: Problem, source: string): string {
  const line = blotLine(source);
  const marked = line.slice(column - 1, column - 1 + length);
  if (!isSecretPath(path) || path.endsWith(marked)) return line;
  return line.slice(0, column - 1) + '*'.repeat(marked.length) + line.slice(column - 1 + length);
}

/** A file may hold escape sequences; the terminal of whoever checks it must not obey them. */
function visible(text: string): string {
  return text.replace(/\t/g, ' ').replace(/[\x00-\x1f\x7f-\x9f]/g, '\ufffd');
}
