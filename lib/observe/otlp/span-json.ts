import { FAILURES } from '../../base/failure.js';
import type { AttemptRecord, RequestRecord, TracedAttempt, TraceRecord } from '../../base/observer.js';
import { jsonString, shownTarget, UNSAFE_IN_JSON } from '../escape.js';

// The JSON form of OTLP: names in lowerCamelCase, ids in hexadecimal digits, numbers of 64 bits as texts, enums as numbers.

/** SPAN_KIND_SERVER and SPAN_KIND_CLIENT */
const SERVER = 2;
const CLIENT = 3;
/** Bits of `flags` beside those of `traceparent`: it is known whether the parent is in another process, and it is. */
const KNOWS_REMOTE = 0x100;
const IS_REMOTE = 0x200;
/** A trace that begins here, and is recorded: most are. */
const SAMPLED_ROOT = 1 | KNOWS_REMOTE;
const SAMPLED_ROOT_TEXT = `"flags":${SAMPLED_ROOT}`;
/** The end of the text of an attribute. */
const TEXT_END = '"}}';
// Texts that most spans have: a short run of bytes is copied in a few ns, a text character by character in 2 ns each.
const NOTHING = new Uint8Array(0);
const ID_OPENING_TEXT = ',{"key":"lb.request_id","value":{"stringValue":"';
const ID_OPENING = bytesOf(ID_OPENING_TEXT);
const TEXT_END_ID_OPENING = bytesOf(TEXT_END + ID_OPENING_TEXT);
const USUAL_END = bytesOf(`${TEXT_END}],${SAMPLED_ROOT_TEXT}}`);
/** STATUS_CODE_ERROR. A span without a status is neither an error nor said to be right. */
const ERROR = ',"status":{"code":2}';

/** Methods that the conventions know; others are `_OTHER`, because anybody can make some up. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** Values of a query that the conventions keep out of spans, besides what logs mask. */
const SIGNED = /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature)=)[^&#]*/g;

// The span of a request is written as requestHead, clientText, pathText, beforeId, the id in quotes and requestRest, that of an
// attempt as attemptHead, targetText and attemptRest. A head has the ids and times in fixed places, then what many spans have
// alike: its bytes are kept and used again, as are those of the client. What follows a target is one constant for most spans.
// Members of an object and attributes have no order.

/** Places in a head, each of as many bytes as the value has. */
export const TRACE_ID_AT = '{"traceId":"'.length;
export const SPAN_ID_AT = TRACE_ID_AT + 32 + '","spanId":"'.length;
export const START_AT = SPAN_ID_AT + 16 + '","startTimeUnixNano":"'.length;
export const END_AT = START_AT + 19 + '","endTimeUnixNano":"'.length;
/** Only the head of an attempt has it. */
export const PARENT_ID_AT = END_AT + 19 + '","parentSpanId":"'.length;

const SPAN_ID = '0'.repeat(16);
const TIME = '0'.repeat(19);
const PLACES = `{"traceId":"${'0'.repeat(32)}","spanId":"${SPAN_ID}","startTimeUnixNano":"${TIME}","endTimeUnixNano":"${TIME}",`;

/** What the head of a request's span depends on. */
export type RequestKind = Pick<RequestRecord, 'method' | 'host' | 'route' | 'protocol' | 'status'> & {
  readonly scheme: string;
};

/** The head of the span of a request: up to an attribute that others may follow. */
export function requestHead({ method, host, route, protocol, status, scheme }: RequestKind): string {
  const isKnown = METHODS.has(method);
  const name = jsonString(`${isKnown ? method : 'HTTP'}${route === '' ? '' : ` ${route}`}`);
  let text = `${PLACES}"name":${name},"kind":${SERVER},"attributes":[${methodText(method, isKnown)}`;
  text += attribute('url.scheme', scheme) + hostText(host, scheme);
  if (route !== '') text += attribute('http.route', route);
  if (protocol !== '') text += attribute('network.protocol.version', protocol.slice(5));
  if (status !== 0) text += number('http.response.status_code', status);
  return text;
}

/** What the text between the head and the path depends on. */
export interface ClientKind {
  readonly address: string;
  readonly userAgent: string;
  /** The request line could be read. */
  readonly hasTarget: boolean;
}

/** Follows `requestHead`: the client, and up to the path, or to an attribute if there is none. */
export function clientText({ address, userAgent, hasTarget }: ClientKind): string {
  const agent = userAgent === '' ? '' : attribute('user_agent.original', userAgent);
  const path = hasTarget ? ',{"key":"url.path","value":{"stringValue":"' : '';
  return attribute('client.address', address) + agent + path;
}

/** Follows `clientText`: the path. */
export function pathText(target: string): string {
  if (target.startsWith('/') && !target.includes('?')) return targetText(target);
  const start = pathStart(target);
  return target === '' ? '' : inQuotes(target.slice(start, queryStart(target, start)) || '/');
}

/** Follows `pathText`: up to the id of the request, or nothing if it has none. */
export function beforeId({ target, requestId }: RequestRecord): Uint8Array {
  if (requestId === '') return NOTHING;
  return target === '' ? ID_OPENING : TEXT_END_ID_OPENING;
}

/** Follows the id of the request, to the end of the span. */
export function requestRest(record: RequestRecord, trace: TraceRecord): Uint8Array {
  const { target, reason, detail, requestId, queueMs, connectMs } = record;
  const failed = isError(record);
  let text = queryText(target);
  if (failed) text += attribute('error.type', reason === '' ? String(record.status) : reason);
  if (reason !== '') text += attribute('lb.reason', reason);
  if (detail !== '') text += attribute('lb.detail', detail);
  if (queueMs > 0) text += milliseconds('lb.queue_ms', queueMs);
  if (connectMs > 0) text += milliseconds('lb.connect_ms', connectMs);
  return endOf(target !== '' || requestId !== '', text, contextText(trace), failed);
}

/** The end of a span. `isOpen`: the text of an attribute comes before it. */
function endOf(isOpen: boolean, attributes: string, context: string, failed: boolean): Uint8Array {
  if (isOpen && attributes === '' && context === SAMPLED_ROOT_TEXT && !failed) return USUAL_END;
  return bytesOf(`${isOpen ? TEXT_END : ''}${attributes}],${context}${failed ? ERROR : ''}}`);
}

/** Errors of a client are none of a server's: its span stays without a status. */
function isError({ status, reason }: RequestRecord): boolean {
  if (status >= 500) return true;
  return reason !== '' && FAILURES[reason].fault !== 'client' && (status < 400 || status === 0);
}

/** What is said of the trace, besides the ids. */
function contextText({ parentSpanId, flags, link, traceState }: TraceRecord): string {
  const bits = flags | KNOWS_REMOTE;
  let text = '';
  if (parentSpanId !== '') text = `"parentSpanId":"${parentSpanId}","flags":${bits | IS_REMOTE}`;
  else text = flagsText(bits);
  text += traceStateText(traceState);
  if (link === null) return text;
  return `${text},"links":[{"traceId":"${link.traceId}","spanId":"${link.spanId}","flags":${KNOWS_REMOTE | IS_REMOTE}}]`;
}

function flagsText(bits: number): string {
  return bits === SAMPLED_ROOT ? SAMPLED_ROOT_TEXT : `"flags":${bits}`;
}

function traceStateText(traceState: string): string {
  return traceState === '' ? '' : `,"traceState":${jsonString(traceState)}`;
}

/** What the head of an attempt's span depends on. */
export type AttemptKind = Pick<TracedAttempt, 'scheme' | 'address' | 'port'> &
  Pick<AttemptRecord, 'server' | 'reused' | 'status'> & {
    readonly method: string;
    /** Nothing was sent. */
    readonly isUnsent: boolean;
  };

/** The head of the span of an attempt: up to the host of the URL that was sent, or to an attribute if there was none. */
export function attemptHead(kind: AttemptKind): string {
  const { method, scheme, address, port, server, reused, status, isUnsent } = kind;
  const isKnown = METHODS.has(method);
  let text = `${PLACES}"parentSpanId":"${SPAN_ID}","name":"${isKnown ? method : 'HTTP'}","kind":${CLIENT},`;
  text += `"attributes":[${methodText(method, isKnown)}${attribute('server.address', address)}`;
  if (port !== 0) text += number('server.port', port);
  text += `${attribute('network.protocol.version', '1.1')}${attribute('lb.server', server)}`;
  text += `,{"key":"lb.connection_reused","value":{"boolValue":${reused}}}`;
  if (status !== 0) text += number('http.response.status_code', status);
  if (isUnsent) return text;
  const host = address.includes(':') ? `[${address}]` : address;
  const origin = jsonString(`${scheme}://${port === 0 ? 'localhost' : `${host}:${port}`}`);
  return `${text},{"key":"url.full","value":{"stringValue":${origin.slice(0, -1)}`;
}

/** Follows `targetText`, to the end of the span. `resend`: the number of the attempt, from 0. */
export function attemptRest(
  { target }: TracedAttempt,
  { status, reason }: AttemptRecord,
  { flags, traceState }: TraceRecord,
  resend: number,
): Uint8Array {
  const failed = reason !== '' || status >= 400;
  let text = '';
  if (failed) text += attribute('error.type', reason === '' ? String(status) : reason);
  if (resend > 0) text += number('http.request.resend_count', resend);
  return endOf(target !== '', text, flagsText(flags | KNOWS_REMOTE) + traceStateText(traceState), failed);
}

function methodText(method: string, known: boolean): string {
  if (known) return `{"key":"http.request.method","value":{"stringValue":"${method}"}}`;
  const other = '{"key":"http.request.method","value":{"stringValue":"_OTHER"}}';
  return method === '' ? other : `${other}${attribute('http.request.method_original', method)}`;
}

function queryText(target: string): string {
  if (!target.includes('?')) return '';
  const start = queryStart(target, pathStart(target));
  return start === target.length ? '' : attribute('url.query', shown(target.slice(start)).slice(1));
}

/** Where the path begins; a proxy is sent a whole URL (RFC 9112, 3.2.2). */
function pathStart(target: string): number {
  const host = target.indexOf('://');
  if (target.startsWith('/') || host === -1) return 0;
  const path = target.slice(host + 3).search(/[/?]/);
  return path === -1 ? target.length : host + 3 + path;
}

/** Where the query begins with its question mark; the end of the target if there is none. */
function queryStart(target: string, pathStart: number): number {
  const mark = target.indexOf('?', pathStart);
  return mark === -1 ? target.length : mark;
}

function shown(text: string): string {
  return text.includes('=') ? shownTarget(text).replace(SIGNED, '$1REDACTED') : text;
}

/** A target is in the spans of the request and of its attempts. */
const lastTarget = { target: '', text: '' };

/** A target inside quotes, credentials masked. In the span of an attempt it follows `attemptHead`. */
export function targetText(target: string): string {
  if (lastTarget.target === target) return lastTarget.text;
  lastTarget.target = target;
  lastTarget.text = inQuotes(target.includes('?') ? shown(target) : target);
  return lastTarget.text;
}

/** A text inside quotes; in the span of a request its id, which a client may have chosen, follows `beforeId`. */
export function inQuotes(text: string): string {
  return UNSAFE_IN_JSON.test(text) ? jsonString(text).slice(1, -1) : text;
}

/** A port after the name of a host. */
const PORT = /^\d{1,5}$/;

/** The host that the client asked for. */
function hostText(host: string, scheme: string): string {
  if (host === '') return '';
  const colon = host.lastIndexOf(':');
  const hasPort = colon !== -1 && colon > host.lastIndexOf(']') && colon + 1 < host.length;
  const digits = hasPort ? host.slice(colon + 1) : '';
  // That of a request that was refused for it. Collectors refuse all spans of a message that has a number they cannot read.
  if (hasPort && !PORT.test(digits)) return attribute('server.address', host);
  const name = colon !== -1 && colon > host.lastIndexOf(']') ? host.slice(0, colon) : host;
  const port = hasPort ? Number(digits) : scheme === 'https' ? 443 : 80;
  return attribute('server.address', name.replace(/^\[|\]$/g, '')) + number('server.port', port);
}

/** With the comma before it. */
function attribute(key: string, value: string): string {
  return `,{"key":"${key}","value":{"stringValue":${jsonString(value)}}}`;
}

function number(key: string, value: number): string {
  return `,{"key":"${key}","value":{"intValue":"${value}"}}`;
}

function milliseconds(key: string, value: number): string {
  return `,{"key":"${key}","value":{"doubleValue":${Math.round(value * 1000) / 1000}}}`;
}

/** `text` is ASCII. */
function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
