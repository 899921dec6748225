import type { Terminal } from './terminal.js';
import { wrapWords } from './word-wrap.js';

/** Writes why the program does not do what it was asked for: after `lb:`, in lines that fit the window. */
export function complain(stderr: Terminal, message: string): void {
  stderr.write(`${wrapWords(`${stderr.paint.red('lb:')} ${message}`, stderr.columns, 4)}\n`);
}

/** Writes what is wrong with settings: a complaint of one line as above, problems of a file as they are. */
export function writeReport(stderr: Terminal, report: string): void {
  const [, message] = /^lb: (.*)\n$/.exec(report) ?? [];
  if (message === undefined) stderr.write(report);
  else complain(stderr, message);
}
