import { instanceName } from '../base/instance-name.js';
import type { RequestRecord } from '../base/observer.js';
import { serversOf } from '../config/inventory.js';
import type { AccessLogConfig, Config } from '../config/types.js';
import { AccessLog, BatchedSink, type LineFormat, type LineSink } from '../observe/batched-sink.js';
import { type DevLayout, devLine } from '../observe/formats/dev.js';
import { type LineTerms, lineFormatOf } from '../observe/line-format.js';
import { LogFilter } from '../observe/log-filter.js';
import type { ThreadReader, ThreadReading } from '../observe/thread-reader.js';
import type { Terminal } from './terminal.js';

export interface RequestLogOptions {
  readonly stdout: Terminal;
  /** From the command line: takes precedence over the configuration; null: not given. */
  readonly file: string | null;
  /** Nothing is written to stdout unless the command line sets a format. */
  readonly quiet: boolean;
  readonly warning: (message: string) => void;
}

type Format = 'dev' | 'combined' | 'json';

const STDOUT = 1;
/** Lines dropped by threads are reported at most once in this time, in ms. */
const WARN_EVERY = 10_000;

/**
 * The access log of a run, by its current configuration. `start` opens it, `applyConfig` changes to another
 * configuration; both throw the system's error when the file cannot be opened, and then nothing has changed.
 */
export class RequestLog implements ThreadReader {
  readonly #stdout: Terminal;
  readonly #file: string | null;
  readonly #quiet: boolean;
  readonly #warning: (message: string) => void;
  #log: AccessLog | null = null;
  #sink: BatchedSink | null = null;
  #lineTerms: LineTerms | null = null;
  /** The settings that `#log` was made from. */
  #wanted = '';
  /** Including logs that are closed. */
  #dropped = 0;
  #droppedByThreads = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor({ stdout, file, quiet, warning }: RequestLogOptions) {
    this.#stdout = stdout;
    this.#file = file;
    this.#quiet = quiet;
    this.#warning = warning;
  }

  /** Lines that were dropped because the reader was slow. */
  get dropped(): number {
    const now = (this.#sink?.dropped ?? 0) + this.#stdout.dropped;
    return this.#dropped + this.#droppedByThreads + now;
  }

  /** Lines for a screen are made here, with its colours and columns; those of a file where the requests are served. */
  get reads(): ThreadReading {
    if (this.#log === null) return 'nothing';
    return this.#lineTerms === null ? 'records' : 'lines';
  }

  get lineTerms(): LineTerms | null {
    return this.#lineTerms;
  }

  linesSettled(lines: Buffer, count: number): void {
    this.#sink?.writeLines(lines, count);
  }

  linesDropped(count: number): void {
    this.#droppedByThreads += count;
    const now = performance.now();
    if (now - this.#warnedAt < WARN_EVERY) return;
    this.#warnedAt = now;
    this.#warning(
      `access log: the main thread is too busy, ${this.#droppedByThreads} lines were dropped so far`,
    );
  }

  requestSettled(record: RequestRecord): void {
    this.#log?.requestSettled(record);
  }

  applyConfig(config: Config): void {
    const format = this.#formatOf(config.accessLog);
    const { accessLog, maskAddresses, instance } = config;
    const width = format === 'dev' ? widestName(config) : 0;
    const wanted = JSON.stringify([accessLog, maskAddresses, instance, width]);
    if (wanted === this.#wanted) return;
    const file = this.#file ?? config.accessLog.file;
    const before = this.#sink;
    const sink = this.#openSink(format, file);
    const { filter } = config.accessLog;
    const terms = format === 'off' ? null : lineTermsOf(config, format, width);
    const isForScreen = format === 'dev' && file === null;
    const line = terms && (isForScreen ? screenFormat(this.#stdout, terms) : lineFormatOf(terms));
    const output: LineSink = sink ?? this.#stdout;
    this.#log = line && new AccessLog(line, output, filter && new LogFilter(filter));
    this.#sink = sink;
    this.#lineTerms = sink === null || isForScreen ? null : terms;
    this.#wanted = wanted;
    if (before !== null) void before.close().then(() => this.#forget(before));
  }

  /** Reopens the file after it was renamed. */
  reopen(): void {
    this.#sink?.reopen();
  }

  /** Writes the remaining lines; takes at most a second. */
  async close(): Promise<void> {
    await this.#sink?.close();
  }

  /** The same for a process that ends at once. */
  closeNow(): void {
    this.#sink?.closeNow();
  }

  #forget(sink: BatchedSink): void {
    this.#dropped += sink.dropped;
  }

  #formatOf({ format, file: configured }: AccessLogConfig): Format | 'off' {
    const file = this.#file ?? configured;
    if (file === null && this.#quiet) return 'off';
    return format ?? (file === null && this.#stdout.isTty ? 'dev' : 'json');
  }

  /** Null when a person is watching and each line should appear immediately. */
  #openSink(format: Format | 'off', file: string | null): BatchedSink | null {
    if (format === 'off' || (file === null && this.#stdout.isTty)) return null;
    const characters = format === 'dev' ? 'any' : 'ascii';
    return new BatchedSink({ target: file ?? STDOUT, characters, warning: this.#warning });
  }
}

function lineTermsOf(config: Config, format: Format, serverWidth: number): LineTerms {
  const { accessLog, hosts, instance, maskAddresses } = config;
  const { fields, filter, requestHeaders, responseHeaders } = accessLog;
  return {
    format,
    fields,
    filter,
    requestHeaders,
    responseHeaders,
    masksAddresses: maskAddresses,
    instance: instanceName(instance),
    showsInstance: instance !== null && fields === null,
    serverWidth,
    // Any other host than the only one gets the same answer as it, or none.
    showsHost: hosts.reduce((sum, { names }) => sum + names.length, 0) > 1,
  };
}

function screenFormat(
  terminal: Terminal,
  { serverWidth, showsHost }: Pick<DevLayout, 'serverWidth' | 'showsHost'>,
): LineFormat {
  const layout: DevLayout = {
    // Read for every line, because windows are resized.
    get columns() {
      return terminal.columns ?? Number.POSITIVE_INFINITY;
    },
    serverWidth,
    showsHost,
    paint: terminal.paint,
  };
  return (record) => devLine(record, layout);
}

/** Columns of the longest server name. */
function widestName(config: Config): number {
  return serversOf(config).reduce((widest, { name }) => Math.max(widest, name.length), 1);
}
