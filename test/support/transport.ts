import type { BodyForm, BodyListener } from '../../lib/http/flow.js';
import type { MessageHead } from '../../lib/http/head.js';
import type { HeadLimits } from '../../lib/http/message-parser.js';
import { RequestParser } from '../../lib/http/request-parser.js';
import { ResponseParser } from '../../lib/http/response-parser.js';

/** One message as the parser understood it. Strings are latin1; offsets count from the first byte of the stream. */
export interface SeenMessage {
  /** Everything the head means, beside its text. */
  readonly meaning: string;
  readonly head: string;
  /** Names and values, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The body as it is handed on in the form asked for. */
  body: string;
  contentBytes: number;
  /** Behind its last byte; -1 when that has not come. */
  end: number;
}

/** What became of a stream of bytes. */
export interface Seen {
  readonly messages: SeenMessage[];
  /** `whole`: it ended between two messages. `partial`: within one. Else the status of a refusal. */
  outcome: 'whole' | 'partial' | number;
  /** Why it was refused; empty when it was not. */
  detail: string;
}

/** Small enough for a fixture to go beyond them. */
export const SMALL_LIMITS: HeadLimits = { headBytes: 1024, fields: 16, targetBytes: 128 };

export interface ReadOptions {
  readonly form?: BodyForm;
  /** Responses: the request was a HEAD. */
  readonly toHead?: boolean;
  /** Responses: the connection ends after the last piece. */
  readonly ends?: boolean;
}

/** Parses streams of requests, one after the other with the same parser, as a connection does. */
export class RequestReader {
  readonly parser: RequestParser;

  constructor(limits: HeadLimits = SMALL_LIMITS) {
    this.parser = new RequestParser(limits);
  }

  /** Each piece is one read. */
  read(pieces: readonly Buffer[], options: ReadOptions = {}): Seen {
    return read(this.parser, pieces, options, () => {
      const { head } = this.parser;
      return [
        `HTTP/1.${head.minorVersion} ${head.method} ${head.target} as ${head.originTarget} for "${head.authority}"`,
        `${head.framing} ${head.contentLength} keeps alive ${head.keepsAlive} expects ${head.expectsContinue}`,
      ].join(', ');
    });
  }
}

/** Parses streams of responses, one after the other with the same parser. */
export class ResponseReader {
  readonly parser: ResponseParser;

  constructor(limits: HeadLimits = SMALL_LIMITS) {
    this.parser = new ResponseParser(limits);
  }

  /** Each piece is one read. */
  read(pieces: readonly Buffer[], options: ReadOptions = {}): Seen {
    this.parser.toHead = options.toHead === true;
    return read(this.parser, pieces, options, () => {
      const { head } = this.parser;
      return [
        `HTTP/1.${head.minorVersion} ${head.status} "${head.statusText}"`,
        `${head.framing} ${head.contentLength} keeps alive ${head.keepsAlive}`,
      ].join(', ');
    });
  }
}

class Collector implements BodyListener {
  readonly droppedTrailers = null;
  readonly #form: BodyForm;
  message: SeenMessage | null = null;

  constructor(form: BodyForm) {
    this.#form = form;
  }

  onTrailers(fields: string): void {
    if (this.message !== null && this.#form === 'wire') this.message.body += `${fields}\r\n`;
  }

  onBodyBytes(buffer: Buffer, start: number, end: number): void {
    if (this.message !== null) this.message.body += buffer.toString('latin1', start, end);
  }
}

function read(
  parser: RequestParser | ResponseParser,
  pieces: readonly Buffer[],
  options: ReadOptions,
  meaning: () => string,
): Seen {
  const seen: Seen = { messages: [], outcome: 'whole', detail: '' };
  const collector = new Collector(options.form ?? 'content');
  let before = 0;
  let inBody = false;
  let idle = true;
  const onEnd = (end: number): void => {
    if (collector.message !== null) collector.message.end = end;
    inBody = false;
    idle = true;
  };
  for (const given of pieces) {
    // The bytes of a read belong to whoever reads them: what is handed on is moved together there.
    const piece = Buffer.from(given);
    for (let at = 0; at < piece.length; ) {
      if (idle) parser.reset();
      idle = false;
      if (inBody) {
        at = parser.body.read(piece, at, piece.length);
      } else {
        at = parser.readHead(piece, at, piece.length);
        if (parser.complete) {
          const { head } = parser;
          collector.message = {
            meaning: meaning(),
            head: head.text,
            fields: fieldsOf(head),
            body: '',
            contentBytes: 0,
            end: -1,
          };
          seen.messages.push(collector.message);
          parser.body.begin(head.framing, head.contentLength, options.form ?? 'content', collector);
          inBody = true;
        }
      }
      const refusal = parser.refusal ?? parser.body.refusal;
      if (refusal !== null) {
        seen.outcome = refusal.status;
        seen.detail = refusal.detail;
        return seen;
      }
      if (inBody && collector.message !== null) collector.message.contentBytes = parser.body.contentBytes;
      if (inBody && parser.body.complete) onEnd(before + at);
    }
    before += piece.length;
  }
  if (inBody && options.ends === true && parser.body.endWithConnection()) onEnd(before);
  if (!idle && (inBody || parser.started)) seen.outcome = 'partial';
  return seen;
}

function fieldsOf(head: MessageHead): (readonly [string, string])[] {
  return Array.from({ length: head.fieldCount }, (_, i) => [head.nameAt(i), head.valueAt(i)] as const);
}

/** Latin1 text as one read. */
export function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** `whole` cut at `positions`, each piece a buffer of its own. */
export function cutAt(whole: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [...new Set(positions)].filter((at) => at > 0 && at < whole.length).sort((a, b) => a - b);
  const bounds = [0, ...sorted, whole.length];
  return bounds.slice(1).map((end, i) => Buffer.from(whole.subarray(bounds[i], end)));
}
