import { stripVTControlCharacters } from 'node:util';
import type { Terminal } from './terminal.js';
import { wrapWords } from './word-wrap.js';

/** Writes why the program does not do what it was asked for: after `lb:`, in lines that fit the window. */
export function complain(stderr: Terminal, message: string): void {
  stderr.write(`${wrapWords(`${stderr.paint.red('lb:')} ${message}`, stderr.columns, 4)}\n`);
}

/** Writes what is wrong with settings: a complaint of one line as above, or problems of a file. */
export function writeReport(stderr: Terminal, report: string): void {
  const [, message] = /^lb: (.*)\n$/.exec(report) ?? [];
  if (message === undefined) stderr.write(fitted(report, stderr.columns));
  else complain(stderr, message);
}

/** Problems of a file in lines that fit the window. A line of the file and its mark stay as they are. */
export function fitted(report: string, columns: number): string {
  if (columns === Number.POSITIVE_INFINITY) return report;
  const isFrame = (line: string): boolean => stripVTControlCharacters(line).startsWith(' ');
  return report
    .split('\n')
    .map((line) => (isFrame(line) ? line : wrapWords(line, columns, 4)))
    .join('\n');
}
