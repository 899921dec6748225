import type { RequestRecord } from '../base/observer.js';
import type { AccessLogField, AccessLogFilter } from '../config/types.js';
import type { LineFormat } from './batched-sink.js';
import { jsonString } from './escape.js';
import { combinedLine, combinedLineOf, quoted } from './formats/combined.js';
import { type DevPaint, devLine } from './formats/dev.js';
import { jsonLine, jsonLineOf } from './formats/json.js';
import { LoggedFields } from './logged-fields.js';

/** How settled requests become lines, as plain data, so that another thread can write them. */
export interface LineTerms {
  readonly format: 'dev' | 'combined' | 'json';
  /** null: the fields of the format. */
  readonly fields: readonly AccessLogField[] | null;
  /** null: every request has a line. */
  readonly filter: AccessLogFilter | null;
  /** Names of header fields that lines of `json` and `combined` have too, in lower case. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  /** Are addresses of clients in these masked? */
  readonly masksAddresses: boolean;
  /** What this balancer is called. */
  readonly instance: string;
  /** Do lines of `json` have the name without being asked for it by `fields`? */
  readonly showsInstance: boolean;
  /** Columns of the longest server name, for `dev`. */
  readonly serverWidth: number;
  /** Does `dev` show the host of a request? */
  readonly showsHost: boolean;
}

const plain = (text: string): string => text;
const COLOURLESS: DevPaint = { dim: plain, green: plain, cyan: plain, yellow: plain, red: plain };

/** The format of lines for a file or a pipe: without colours, however long. */
export function lineFormatOf(terms: LineTerms): LineFormat {
  const { format, fields, instance, serverWidth, showsHost } = terms;
  if (format === 'json')
    return longer(fields === null ? jsonLine : jsonLineOf(fields, instance), '}\n', jsonMore(terms));
  if (format === 'combined')
    return longer(fields === null ? combinedLine : combinedLineOf(fields, instance), '\n', moreQuoted(terms));
  const layout = { columns: Number.POSITIVE_INFINITY, serverWidth, showsHost, paint: COLOURLESS };
  return (record) => devLine(record, layout);
}

/** Lines with `more` before their end; those of `line` alone when there is none. */
function longer(line: LineFormat, end: string, more: LineFormat | null): LineFormat {
  return more === null ? line : (record) => `${line(record).slice(0, -end.length)}${more(record)}${end}`;
}

/** `,"request_headers":{"accept":"*\/*"},"response_headers":{},"instance":"edge-1"` */
function jsonMore({
  requestHeaders,
  responseHeaders,
  masksAddresses,
  ...terms
}: LineTerms): LineFormat | null {
  const requests = requestHeaders.length === 0 ? null : new LoggedFields(requestHeaders, masksAddresses);
  const responses = responseHeaders.length === 0 ? null : new LoggedFields(responseHeaders, masksAddresses);
  const instance = terms.showsInstance ? `,"instance":${jsonString(terms.instance)}` : '';
  if (requests === null && responses === null && instance === '') return null;
  return ({ requestHeadText, responseHeadText }: RequestRecord) =>
    (requests === null ? '' : `,"request_headers":${jsonOf(requests, requestHeadText)}`) +
    (responses === null ? '' : `,"response_headers":${jsonOf(responses, responseHeadText)}`) +
    instance;
}

function jsonOf(fields: LoggedFields, head: string): string {
  const values = fields.valuesOf(head);
  let text = '';
  for (const [index, name] of fields.names.entries()) {
    const value = values[index] as string | null;
    if (value !== null) text += `${text === '' ? '' : ','}${jsonString(name)}:${jsonString(value)}`;
  }
  return `{${text}}`;
}

/** ` "curl/8.5.0" "-"`: one for each name. */
function moreQuoted({ requestHeaders, responseHeaders, masksAddresses }: LineTerms): LineFormat | null {
  if (requestHeaders.length + responseHeaders.length === 0) return null;
  const requests = new LoggedFields(requestHeaders, masksAddresses);
  const responses = new LoggedFields(responseHeaders, masksAddresses);
  return ({ requestHeadText, responseHeadText }: RequestRecord) => {
    let text = '';
    for (const value of requests.valuesOf(requestHeadText)) text += ` ${quoted(value ?? '')}`;
    for (const value of responses.valuesOf(responseHeadText)) text += ` ${quoted(value ?? '')}`;
    return text;
  };
}

/** `ascii`: each character of such a line is one byte. */
export function charactersOf({ format }: LineTerms): 'ascii' | 'any' {
  return format === 'dev' ? 'any' : 'ascii';
}
