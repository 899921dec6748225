import { FAILURES } from '../../base/failure.js';
import type { AttemptRecord, RequestRecord } from '../../base/observer.js';
import { escapeForScreen, shownTarget } from '../escape.js';
import { clockTime } from '../timestamps.js';

type Tint = (text: string) => string;

/** The colours of a dev line; functions that return the text unchanged when there is no colour. */
export interface DevPaint {
  readonly dim: Tint;
  readonly green: Tint;
  readonly cyan: Tint;
  readonly yellow: Tint;
  readonly red: Tint;
}

export interface DevLayout {
  /** Columns of the terminal; Infinity when lines go to a file or a pipe. */
  readonly columns: number;
  /** Columns of the longest server name. */
  readonly serverWidth: number;
  /** Is the host of a request shown before its path? Where there is one host only, it would say nothing. */
  readonly showsHost: boolean;
  readonly paint: DevPaint;
}

/** What a line shows of a request. */
export type DevRecord = Pick<
  RequestRecord,
  | 'startedAt'
  | 'durationMs'
  | 'method'
  | 'target'
  | 'host'
  | 'status'
  | 'server'
  | 'attempts'
  | 'reason'
  | 'detail'
> & { readonly tries: readonly Pick<AttemptRecord, 'server' | 'reason' | 'status'>[] };

const METHOD_WIDTH = 7;
const STATUS_WIDTH = 3;
const TIME_WIDTH = 8;
const DURATION_WIDTH = 7;
const WIDEST_SERVER = 21;
/** The same below 80 columns. */
const WIDEST_SERVER_IF_NARROW = 14;
const NARROWEST_TARGET = 12;
const WIDEST_TARGET = 64;

/**
 * One line for a person at a terminal: time, method, target, status, server, milliseconds, in fixed columns. A request
 * that failed shows its reason: at the end of the line if it fits, otherwise below.
 */
export function devLine(record: DevRecord, layout: DevLayout): string {
  const { paint, columns } = layout;
  const serverWidth = Math.min(layout.serverWidth, columns < 80 ? WIDEST_SERVER_IF_NARROW : WIDEST_SERVER);
  const targetWidth = widthOfTarget(columns, serverWidth);
  const method = escapeForScreen(record.method) || '-';
  const left = `${method.padEnd(METHOD_WIDTH)} `;
  const room = METHOD_WIDTH + 1 + targetWidth;
  const host = layout.showsHost ? record.host.replace(/:\d+$/, '') : '';
  // In absolute form the target has the host already.
  const asked = record.target.startsWith('/')
    ? host + shownTarget(record.target)
    : shownTarget(record.target);
  const target = escapeForScreen(asked) || '-';
  const request = left + (columns === Infinity ? target : shorten(target, room - left.length));
  const line =
    `${paint.dim(clockTime(record.startedAt))}  ${request.padEnd(room)}  ${paintStatus(record.status, paint)}` +
    `  ${shorten(record.server || '-', serverWidth).padEnd(serverWidth)}` +
    `  ${paint.dim(duration(record.durationMs).padStart(DURATION_WIDTH))}`;
  const note = noteOf(record);
  if (note === '') return `${line}\n`;
  const tint = record.reason === '' ? paint.dim : paint.yellow;
  if (widthOfLine(targetWidth, serverWidth) + 2 + note.length <= columns) return `${line}  ${tint(note)}\n`;
  return `${line}\n${' '.repeat(TIME_WIDTH + 2)}${tint(cut(note, columns - TIME_WIDTH - 2))}\n`;
}

/** Removes the end of a text that is too long: what it begins with says most. */
function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Removes the middle of a text that is too long: its start names the service, its end the resource. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

function widthOfTarget(columns: number, serverWidth: number): number {
  return Math.min(WIDEST_TARGET, Math.max(NARROWEST_TARGET, columns - widthOfLine(0, serverWidth)));
}

/** Everything but the note, including the nine spaces between. */
function widthOfLine(targetWidth: number, serverWidth: number): number {
  return TIME_WIDTH + METHOD_WIDTH + targetWidth + STATUS_WIDTH + serverWidth + DURATION_WIDTH + 9;
}

function paintStatus(status: number, paint: DevPaint): string {
  if (status >= 500) return paint.red(String(status));
  if (status >= 400) return paint.yellow(String(status));
  if (status >= 300) return paint.cyan(String(status));
  if (status >= 200) return paint.green(String(status));
  return paint.dim(status === 0 ? '---' : String(status));
}

function duration(milliseconds: number): string {
  if (milliseconds < 100) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 9999.5) return `${milliseconds.toFixed(0)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** The word to search for, and what it means; for an invalid message, the rule that it breaks. */
function noteOf(record: DevRecord): string {
  const { reason, detail, attempts, tries } = record;
  if (reason === '') return attempts > 1 ? attemptsText(attempts, tries.slice(0, -1)) : '';
  const isExact = detail !== '' && (reason === 'bad_request' || reason === 'bad_response');
  const note = `${reason}: ${isExact ? escapeForScreen(detail) : FAILURES[reason].meaning}`;
  return attempts > 1 ? `${note} (${attemptsText(attempts, tries)})` : note;
}

/** `2 attempts: mango-1 connect_refused`. */
function attemptsText(attempts: number, failed: DevRecord['tries']): string {
  const named = failed.map(({ server, reason, status }) => `${server} ${reason || status}`);
  return named.length === 0 ? `${attempts} attempts` : `${attempts} attempts: ${named.join(', ')}`;
}
