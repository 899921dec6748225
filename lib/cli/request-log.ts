import type { Observer } from '../base/observer.js';
import { serversOf } from '../config/inventory.js';
import type { Config } from '../config/types.js';
import { AccessLog, type LineFormat } from '../observe/access-log.js';
import { BatchedSink } from '../observe/batched-sink.js';
import { combinedLine } from '../observe/formats/combined.js';
import { type DevLayout, devLine } from '../observe/formats/dev.js';
import { jsonLine } from '../observe/formats/json.js';
import { createPaint } from './paint.js';
import type { Terminal } from './terminal.js';

/** The access log of a run: an observer, and what its output needs at a rotation and at the end. */
export interface RequestLog {
  readonly observer: Observer;
  /** After the file was moved away. */
  reopen(): void;
  /** Writes what is left; takes a second at most. */
  close(): Promise<void>;
  /** The same for a process that is going down this instant. */
  closeNow(): void;
}

export interface RequestLogOptions {
  readonly config: Config;
  readonly stdout: Terminal;
  /** Instead of stdout; null for stdout. */
  readonly file: string | null;
  readonly warning: (message: string) => void;
}

const STDOUT = 1;
const FORMATS = { combined: combinedLine, json: jsonLine } as const;

/** Opens the access log; null when there is to be none. Throws the system's error when its file cannot be opened. */
export function openRequestLog(options: RequestLogOptions): RequestLog | null {
  const { config, stdout, file, warning } = options;
  const isWatched = file === null && stdout.isTty;
  const kind = config.accessLog ?? (isWatched ? 'dev' : 'json');
  if (kind === 'off') return null;
  const format = kind === 'dev' ? devFormat(config, file === null ? stdout : null) : FORMATS[kind];
  if (isWatched) {
    // A person wants to see each line as it happens.
    return {
      observer: new AccessLog(format, stdout),
      reopen: () => {},
      close: async () => {},
      closeNow: () => {},
    };
  }
  const sink = new BatchedSink({ target: file ?? STDOUT, warning });
  return {
    observer: new AccessLog(format, sink),
    reopen: () => sink.reopen(),
    close: () => sink.close(),
    closeNow: () => sink.closeNow(),
  };
}

function devFormat(config: Config, terminal: Terminal | null): LineFormat {
  const layout: DevLayout = {
    // Read for every line: windows are resized.
    get columns() {
      return terminal?.columns ?? Number.POSITIVE_INFINITY;
    },
    serverWidth: Math.max(1, ...serversOf(config).map(({ name }) => name.length)),
    paint: terminal?.paint ?? createPaint(false),
  };
  return (record) => devLine(record, layout);
}
