import type { AccessLogField, AccessLogFilter } from '../config/types.js';
import type { LineFormat } from './batched-sink.js';
import { combinedLine, combinedLineOf } from './formats/combined.js';
import { type DevPaint, devLine } from './formats/dev.js';
import { jsonLine, jsonLineOf } from './formats/json.js';

/** How settled requests become lines, as plain data, so that another thread can write them. */
export interface LineTerms {
  readonly format: 'dev' | 'combined' | 'json';
  /** null: the fields of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** null: every request has a line. */
  readonly filter: AccessLogFilter | null;
  /** Columns of the longest server name, for `dev`. */
  readonly serverWidth: number;
  /** Does `dev` show the host of a request? */
  readonly showsHost: boolean;
}

const plain = (text: string): string => text;
const COLOURLESS: DevPaint = { dim: plain, green: plain, cyan: plain, yellow: plain, red: plain };

/** The format of lines for a file or a pipe: without colours, however long. */
export function lineFormatOf({ format, fields, serverWidth, showsHost }: LineTerms): LineFormat {
  if (format === 'json') return fields === null ? jsonLine : jsonLineOf(fields);
  if (format === 'combined') return fields === null ? combinedLine : combinedLineOf(fields);
  const layout = { columns: Number.POSITIVE_INFINITY, serverWidth, showsHost, paint: COLOURLESS };
  return (record) => devLine(record, layout);
}

/** `ascii`: each character of such a line is one byte. */
export function charactersOf({ format }: LineTerms): 'ascii' | 'any' {
  return format === 'dev' ? 'any' : 'ascii';
}
