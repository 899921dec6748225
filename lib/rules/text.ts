import type { ClientCertificate } from '../base/transport-info.js';
import type { Template, TemplatePart, Variable } from '../config/template.js';
import { byteSet, PATH, percentEncode, UNRESERVED, utf8Bytes } from '../http/percent.js';
import type { RequestView } from '../http/request-view.js';
import type { RuleContext } from './context.js';
import { type Captures, NO_CAPTURES } from './pattern.js';

/**
 * Where a text is used, which decides how values are encoded:
 *
 * - `field`, the value of a field: the text of the configuration and decoded text become UTF-8; characters of a path or
 * a query that no URL has are percent-encoded. `HeadEdit` removes control characters.
 * - `path`: characters that no path has are percent-encoded, and in values of the request (but not in groups of a path)
 * slashes too, so that a value stays one segment.
 * - `param`, a parameter's value: everything but unreserved characters is percent-encoded, `%` too.
 * - `cookie`, a cookie's value: characters that RFC 6265 does not allow are percent-encoded.
 * - `location`, a URL after its host: values of the request are percent-encoded like parameters, groups like a path.
 * - `host`, the scheme or the host of a URL: everything but unreserved characters is percent-encoded, so that no value
 * can end the host. `{host}` stays as it is.
 */
export type EncodingPlace = 'field' | 'path' | 'param' | 'cookie' | 'location' | 'host';

/** Where a part of a text comes from, which decides how it is encoded already. */
type Source =
  /** The configuration. */
  | 'text'
  /** The request target or authority as received: valid in a URL. */
  | 'path'
  | 'query'
  | 'host'
  /** Bytes as received. */
  | 'bytes'
  | 'decoded'
  /** A group of a pattern that was compared with the decoded path. */
  | 'capture'
  /** A group of a pattern that was compared with the text being changed. */
  | 'group';

type Encode = (text: string) => string;

const SEGMENT = PATH.map((safe, code) => (code === 0x2f ? 0 : safe));
const PATH_AND_PERCENT = PATH.map((safe, code) => (code === 0x25 ? 1 : safe));
const VISIBLE = new Uint8Array(256).fill(1, 0x21, 0x7f);
const QUERY = byteSet('?%').map((safe, code) => safe | (PATH[code] as number));
/** RFC 6265, 4.1.1. */
const COOKIE = byteSet(
  `!#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_\`abcdefghijklmnopqrstuvwxyz{|}~`,
);

const asIs: Encode = (text) => text;
const inSegment: Encode = (bytes) => percentEncode(bytes, SEGMENT);
const inPath: Encode = (text) => percentEncode(utf8Bytes(text), PATH);
const inParam: Encode = (bytes) => percentEncode(bytes, UNRESERVED);
/** A URL as people write it. */
const writtenUrl: Encode = (text) => percentEncode(utf8Bytes(text), VISIBLE);
/**
 * A query as received. A browser would read `\\` as a slash, and other bytes are not allowed in a URL (RFC 3986, 3.4).
 */
export const inQuery: Encode = (query) => percentEncode(query, QUERY);
const inCookie: Encode = (bytes) => percentEncode(bytes, COOKIE);
const ofUtf8 =
  (encode: Encode): Encode =>
  (text) =>
    encode(utf8Bytes(text));
/** A path as people write it: percent-encoded characters stay. */
const writtenPath: Encode = (text) =>
  percentEncode(utf8Bytes(text.replace(/%(?![0-9a-f]{2})/gi, '%25')), PATH_AND_PERCENT);
/**
 * A path as received, with its percent-encoding. `*`, the target of OPTIONS for the server itself, is not part of a
 * URL.
 */
const inUrl: Encode = (path) => (path === '*' ? '' : percentEncode(path, PATH_AND_PERCENT));
const rawPath: Encode = (path) => percentEncode(path, PATH_AND_PERCENT);

const ENCODERS: { readonly [place in EncodingPlace]: { readonly [source in Source]: Encode } } = {
  field: {
    text: utf8Bytes,
    path: rawPath,
    query: inQuery,
    host: asIs,
    bytes: asIs,
    decoded: utf8Bytes,
    capture: utf8Bytes,
    group: asIs,
  },
  path: {
    text: writtenPath,
    path: inUrl,
    query: inSegment,
    host: inSegment,
    bytes: inSegment,
    decoded: ofUtf8(inSegment),
    capture: inPath,
    group: asIs,
  },
  param: {
    text: ofUtf8(inParam),
    path: inParam,
    query: inParam,
    host: inParam,
    bytes: inParam,
    decoded: ofUtf8(inParam),
    capture: ofUtf8(inParam),
    group: inParam,
  },
  cookie: {
    text: ofUtf8(inCookie),
    path: inCookie,
    query: inCookie,
    host: inCookie,
    bytes: inCookie,
    decoded: ofUtf8(inCookie),
    capture: ofUtf8(inCookie),
    group: inCookie,
  },
  location: {
    text: writtenUrl,
    path: inUrl,
    query: inQuery,
    host: asIs,
    bytes: inParam,
    decoded: ofUtf8(inParam),
    capture: inPath,
    group: asIs,
  },
  host: {
    text: writtenUrl,
    path: inParam,
    query: inParam,
    host: asIs,
    bytes: inParam,
    decoded: ofUtf8(inParam),
    capture: ofUtf8(inParam),
    group: inParam,
  },
};

type Hole = (context: RuleContext, groups: Captures) => string;

/** A template compiled for the place where its text is used. */
export class Text {
  readonly #parts: readonly (string | Hole)[];

  constructor(template: Template, place: EncodingPlace) {
    this.#parts = template.map((part) => compilePart(part, ENCODERS[place]));
  }

  /** A byte string. `groups` are those of the rule's own regular expression. */
  render(context: RuleContext, groups: Captures = NO_CAPTURES): string {
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : part(context, groups);
    return text;
  }
}

function compilePart(part: TemplatePart, encoders: { readonly [source in Source]: Encode }): string | Hole {
  switch (part.kind) {
    case 'text':
      return encoders.text(part.text);
    case 'variable':
      return variable(part.name, encoders);
    case 'header':
      return ({ view }) => encoders.bytes(view.header(part.name).join(', '));
    case 'cookie':
      return ({ view }) => encoders.bytes(view.cookie(part.name)[0] ?? '');
    case 'param':
      return ({ view }) => encoders.decoded(view.param(part.name)[0] ?? '');
    case 'capture':
      return ({ captures }) => encoders.capture(captures[part.group] ?? '');
    case 'group':
      return (_context, groups) => encoders.group(groups[part.group] ?? '');
  }
}

function variable(name: Variable, encoders: { readonly [source in Source]: Encode }): string | Hole {
  switch (name) {
    case 'client_ip':
      return ({ view }) => encoders.bytes(view.clientAddress);
    case 'host':
      return ({ view }) => encoders.host(view.host);
    case 'path':
      return ({ view }) => encoders.path(view.rawPath);
    case 'query':
      return ({ view }) => encoders.query(view.query);
    case 'method':
      return ({ view }) => encoders.bytes(view.method);
    case 'scheme':
      return ({ view }) => encoders.bytes(view.scheme);
    case 'sni':
      return ({ view }) => encoders.bytes(view.transport.sni ?? '');
    case 'tls_version':
      return ({ view }) => encoders.bytes(view.transport.tls?.version ?? '');
    case 'client_cert_subject':
      return ({ view }) => encoders.decoded(validCertificate(view)?.subject ?? '');
    case 'client_cert_fingerprint':
      return ({ view }) => encoders.bytes(validCertificate(view)?.fingerprint ?? '');
    case 'server':
      return ({ server }) => encoders.bytes(server);
    case 'route':
      return ({ route }) => encoders.decoded(route);
    case 'attempt':
      return ({ attempt }) => encoders.bytes(String(attempt));
    case 'request_id':
      return ({ requestId }) => encoders.bytes(requestId);
    case 'trace_id':
      return ({ traceId }) => encoders.bytes(traceId);
    case 'span_id':
      return ({ spanId }) => encoders.bytes(spanId);
  }
}

function validCertificate({ clientCertificate }: RequestView): ClientCertificate | null {
  return clientCertificate === null || clientCertificate.error !== '' ? null : clientCertificate;
}
