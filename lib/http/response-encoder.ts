import { FIELD, type FieldId } from './fields.js';
import type { HeadEdit } from './head-edit.js';
import { ASK, DROP, framingLine, HOP_BY_HOP, isNamed, isPlain, PASS, verdicts } from './hop.js';
import type { Framing } from './request-head.js';
import type { ResponseHead } from './response-head.js';

/** How a response goes to the client. */
export interface ResponseForm {
  /** How its body ends on the client's side. */
  framing: Framing;
  /** Does the connection stay open behind it? */
  keepAlive: boolean;
  /** Did the client speak HTTP/1.0? It needs to be told that the connection stays, and never sees a chunk. */
  oldClient: boolean;
}

/** The bit of that field in `present`. */
const DATE = 1 << FIELD.date;

const RESPONSE = verdicts(HOP_BY_HOP);
/** RFC 9110, 15.5.22: a 426 without Upgrade would not say what to upgrade to. */
const UPGRADE_REQUIRED = verdicts({ ...HOP_BY_HOP, upgrade: PASS });
const SWITCHING = verdicts({ ...HOP_BY_HOP, upgrade: PASS, contentLength: DROP, transferEncoding: DROP });
const INTERIM = verdicts({ ...HOP_BY_HOP, contentLength: DROP, transferEncoding: DROP });

/**
 * The head as the client gets it; always HTTP/1.1, whatever either side spoke (RFC 9110, 2.5). `wallMs` is asked only
 * where the server gave no Date. `edit` is what rules want of it; null is nothing.
 */
export function encodeResponseHead(
  head: ResponseHead,
  form: ResponseForm,
  wallMs: number,
  edit: HeadEdit | null = null,
): string {
  const { text, fieldCount, ids } = head;
  const table = head.status === 426 ? UPGRADE_REQUIRED : RESPONSE;
  let out = '';
  let run = 0;
  if (head.minorVersion === 0 || head.isBare) {
    out = statusLine(head);
    run = head.lineStart(0);
  }
  let chunked = false;
  const { named } = head.connection;
  if (edit !== null) edit.begin();
  for (let i = 0; i < fieldCount; i++) {
    const id = ids[i] as FieldId;
    const verdict = table[id] as number;
    const passes = verdict === PASS && (named === null || !isNamed(head, i, id, head.connection));
    const edited = edit === null || !passes ? null : edit.fieldAt(head, i);
    if (passes && edited === null) continue;
    // Nearly every answer has a length, and says it plainly.
    if (i === head.lengthIndex && mayHaveLength(head, form) && isPlain(head, i)) continue;
    out += text.slice(run, head.lineStart(i));
    run = head.lineStart(i + 1);
    if (edited !== null) out += edited.lineAt(head, i);
    if (verdict !== ASK) continue;
    if (id === FIELD.transferEncoding && form.framing === 'chunked') {
      chunked = true;
      out += framingLine(head, i, 'chunked');
    } else if (i === head.lengthIndex && mayHaveLength(head, form)) {
      out += framingLine(head, i, String(head.contentLength));
    }
  }
  out += text.slice(run, text.length - 2);
  const date = (head.present & DATE) !== 0 ? '' : `Date: ${httpDate(wallMs)}\r\n`;
  out += edit === null ? date : edit.own(date) + edit.rest();
  if (table === UPGRADE_REQUIRED) out += 'Connection: Upgrade\r\n';
  if (form.framing === 'chunked' && !chunked) out += 'Transfer-Encoding: chunked\r\n';
  return out + connectionLine(form);
}

/** RFC 9112, 4: the space behind the code stands there even when no reason follows. */
function statusLine(head: ResponseHead): string {
  return `HTTP/1.1 ${head.statusText}${head.isBare ? ' ' : ''}\r\n`;
}

/** RFC 9110, 8.6: not on 204; on a HEAD or 304 it tells of a body that is not there, and stays. */
function mayHaveLength(head: ResponseHead, form: ResponseForm): boolean {
  return head.status !== 204 && (form.framing === 'length' || form.framing === 'none');
}

/** The last line of a head, and the empty one behind it. */
export function connectionLine(form: ResponseForm): string {
  if (!form.keepAlive) return 'Connection: close\r\n\r\n';
  return form.oldClient ? 'Connection: keep-alive\r\n\r\n' : '\r\n';
}

/**
 * An interim response (1xx) as the client gets it; 101 keeps its Upgrade. Rules are for final responses. `fields` are
 * lines of our own.
 */
export function encodeInterimHead(head: ResponseHead, fields = ''): string {
  const table = head.status === 101 ? SWITCHING : INTERIM;
  let out = statusLine(head);
  for (let i = 0; i < head.fieldCount; i++) {
    const id = head.idAt(i);
    if (table[id] !== PASS || isNamed(head, i, id, head.connection)) continue;
    out += head.text.slice(head.lineStart(i), head.lineStart(i + 1));
  }
  return `${out}${fields}${head.status === 101 ? 'Connection: Upgrade\r\n' : ''}\r\n`;
}

let second = -1;
let text = '';

/** The IMF-fixdate of `wallMs` (RFC 9110, 5.6.7), built once per second. */
export function httpDate(wallMs: number): string {
  const now = Math.floor(wallMs / 1000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1000).toUTCString();
  }
  return text;
}
