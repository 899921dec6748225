import type { Observer, RequestRecord } from '../base/observer.js';

/** Where finished lines go. `write` takes whole lines with their line feed and never blocks. */
export interface LineSink {
  write(lines: string): void;
}

/** Turns one settled request into one line, its line feed included. */
export type LineFormat = (record: RequestRecord) => string;

/** Writes a line for every settled request. */
export class AccessLog implements Observer {
  readonly #format: LineFormat;
  readonly #sink: LineSink;

  constructor(format: LineFormat, sink: LineSink) {
    this.#format = format;
    this.#sink = sink;
  }

  requestSettled(record: RequestRecord): void {
    this.#sink.write(this.#format(record));
  }
}
