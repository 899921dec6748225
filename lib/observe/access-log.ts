import type { Observer, RequestRecord } from '../base/observer.js';
import type { LogFilter } from './log-filter.js';

/** Where finished lines go. `write` takes whole lines with their line feed and never blocks. */
export interface LineSink {
  write(lines: string): void;
}

/** Turns one settled request into one line, its line feed included. */
export type LineFormat = (record: RequestRecord) => string;

/** Writes a line for every settled request, or for those that a filter keeps. */
export class AccessLog implements Observer {
  readonly #format: LineFormat;
  readonly #sink: LineSink;
  readonly #filter: LogFilter | null;

  constructor(format: LineFormat, sink: LineSink, filter: LogFilter | null = null) {
    this.#format = format;
    this.#sink = sink;
    this.#filter = filter;
  }

  requestSettled(record: RequestRecord): void {
    if (this.#filter === null || this.#filter.keeps(record)) this.#sink.write(this.#format(record));
  }
}
