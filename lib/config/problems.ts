import { blotLine, isSecretPath, maskUrls } from './secrets.js';
import type { SourceTexts } from './sources.js';
import { formatPath, locate, type Node, type Path, type Span } from './tree.js';

/** One problem of a configuration. */
export interface Problem {
  /** The included file that it is in; missing when it is in the settings file itself, or in none. */
  readonly file?: string;
  /** The line, from 1; 0 when the setting did not come from the file. */
  readonly line: number;
  /** The column, from 1, in UTF-16 units as editors count. */
  readonly column: number;
  /** Columns to underline, at least 1. */
  readonly length: number;
  /** The setting: `hosts[0].servers[1]`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what was expected, without a full stop. */
  readonly message: string;
  /** A sentence that says what to do; may be empty. */
  readonly hint: string;
}

/** A problem before its line and column are known. */
export interface Finding {
  readonly path: Path;
  readonly part: 'key' | 'value';
  /** The setting whose line ends the message: `listed twice, first in` line 3. */
  readonly earlier?: Path;
  readonly message: string;
  readonly hint: string;
}

/** A problem whose position in the text is known. */
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
  /** The texts of the files that it includes, by name (`LoadResult.included`). */
  readonly included?: ReadonlyMap<string, string>;
  readonly paint?: Paint;
  /** How many problems are printed, followed by the number of the rest; all by default. */
  readonly most?: number;
}

/** How many problems, warnings and the like are printed for a person at once. */
export const MOST_SHOWN = 20;

const same = (text: string): string => text;
const plain: Paint = { place: same, path: same, hint: same, gutter: same, mark: same };

/** A wider line is cut around its mark. With the line number before it, it fits a window of 80 columns. */
const FRAME_WIDTH = 70;

/** A fault with its position, as it is shown. */
export function toProblem({ span, path, message, hint }: Fault, places: SourceTexts): Problem {
  const text = formatPath(path);
  // Shown instead of a value that should be a secret: such a value must not appear in logs or events.
  const said = isSecretPath(text) ? message.replace(/,? got .*$/s, '') : message;
  const { file, ...position } = places.of(span);
  const shown = { ...position, path: text, message: maskUrls(said), hint: maskUrls(hint) };
  return file === '' ? shown : { file, ...shown };
}

/**
 * Adds positions to the findings, and the faults of reading. A problem in an aliased node is found once per alias and
 * reported once; a finding at a position that has a fault follows from that fault and is dropped.
 */
export function toProblems(
  findings: readonly Finding[],
  root: Node,
  places: SourceTexts,
  faults: readonly Problem[],
): Problem[] {
  const faulty = new Set(faults.map(placeKey));
  const problems = new Map<string, Problem>();
  for (const { path, part, earlier, ...finding } of findings) {
    const span = locate(root, path, part);
    const message = earlier
      ? `${finding.message} ${placeName(earlier, span, root, places)}`
      : finding.message;
    const fault = { span, path: places.pathIn(span, path), message, hint: finding.hint };
    const problem = toProblem(fault, places);
    const place = placeKey(problem);
    const key = `${place} ${problem.line === 0 ? problem.path : ''} ${message}`;
    if (!faulty.has(place) && !problems.has(key)) problems.set(key, problem);
  }
  const files = ['', ...places.texts.keys()];
  const order = new Map(files.map((file, index) => [file, index]));
  const fileOf = ({ file = '' }: Problem): number => order.get(file) ?? 0;
  return [...faults, ...problems.values()].sort(
    (a, b) => fileOf(a) - fileOf(b) || a.line - b.line || a.column - b.column,
  );
}

function placeKey({ file = '', line, column }: Problem): string {
  return `${file}:${line}:${column}`;
}

function placeName(path: Path, from: Span, root: Node, places: SourceTexts): string {
  const span = locate(root, path, 'value');
  return places.of(span).line === 0 ? formatPath(path) : places.nameOf(span, from);
}

/** Renders every problem with its position, message, hint and line; ends with a newline. */
export function renderProblems(problems: readonly Problem[], options: RenderOptions): string {
  const { most = problems.length, text, included } = options;
  const texts = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    const known = texts.get(file) ?? (file === '' ? text : (included?.get(file) ?? '')).split(/\r?\n/);
    texts.set(file, known);
    return known;
  };
  return renderFirst(
    problems,
    most,
    (problem) => renderProblem(problem, linesOf(problem.file ?? ''), options),
    '\n',
  );
}

/** Renders the first `most` items with `render`, and adds how many more there are. */
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
  const { file = options.file, line, column, path, message, hint } = problem;
  const place = line === 0 ? '' : `${paint.place(`${file}:${line}:${column}`)}  `;
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

/** Renders a line of the file. Secrets in it are masked, and so is the marked value if it should be a secret. */
function withoutSecrets({ path, column, length }: Problem, source: string): string {
  const line = blotLine(source);
  const marked = line.slice(column - 1, column - 1 + length);
  if (!isSecretPath(path) || path.endsWith(marked)) return line;
  return line.slice(0, column - 1) + '*'.repeat(marked.length) + line.slice(column - 1 + length);
}

/** A file may hold escape sequences, which must not reach the terminal. */
function visible(text: string): string {
  return text.replace(/\t/g, ' ').replace(/[\x00-\x1f\x7f-\x9f]/g, '\ufffd');
}
