import type { RequestHead, ResponseHead } from '../../lib/http/head.js';
import type { HeadLimits } from '../../lib/http/message-parser.js';
import { RequestParser } from '../../lib/http/request-parser.js';
import { type Peer, RequestView } from '../../lib/http/request-view.js';
import { ResponseParser } from '../../lib/http/response-parser.js';

const LIMITS: HeadLimits = { headBytes: 1 << 20, fields: 1000, targetBytes: 1 << 20 };

/** The head of a complete request; throws the detail of the refusal when it is refused. */
export function requestHead(text: string): RequestHead {
  const parser = new RequestParser(LIMITS);
  const bytes = Buffer.from(text, 'latin1');
  parser.readHead(bytes, 0, bytes.length);
  if (!parser.complete) throw new Error(parser.refusal?.detail ?? 'not complete');
  return parser.head;
}

/** The head of a complete response; throws in the same way. */
export function responseHead(text: string): ResponseHead {
  const parser = new ResponseParser(LIMITS);
  const bytes = Buffer.from(text, 'latin1');
  parser.readHead(bytes, 0, bytes.length);
  if (!parser.complete) throw new Error(parser.refusal?.detail ?? 'not complete');
  return parser.head;
}

/** A view of a request: target, field lines, address of the client. */
export function viewOf(
  target: string,
  fields: readonly string[] = [],
  clientAddress = '192.0.2.1',
  peer: Peer | null = null,
): RequestView {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: example.test'];
  const view = new RequestView();
  view.load(
    requestHead([`GET ${target} HTTP/1.1`, ...host, ...fields, '', ''].join('\r\n')),
    clientAddress,
    peer,
  );
  return view;
}

/** The fields of a head as pairs, in order. */
export function fieldsOf(head: RequestHead | ResponseHead): [name: string, value: string][] {
  return Array.from({ length: head.fieldCount }, (_, i) => [head.nameAt(i), head.valueAt(i)]);
}
