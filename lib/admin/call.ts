import type { IncomingMessage, ServerResponse } from 'node:http';
import { GrowingBuffer } from '../base/bytes.js';
import { type Fields, isRecord } from '../base/json.js';
import { Slice } from '../base/slices.js';
import { snakeKey } from '../config/key-names.js';
import { ApiError } from './api-error.js';
import type { Role } from './authorization.js';
import { snakeCase } from './config-view.js';

/** One authorized request to the admin listener. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** The value of `{name}` in the route's path, decoded; empty for a path without it. */
  readonly name: string;
  /** The role of the token that it has sent. */
  readonly role: Role;
}

/** A body, made before it is sent or while it is. */
export type Pieces = Iterable<Buffer> | AsyncIterable<Buffer>;

/** The result of a handler; null when it writes the response itself. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  /** Several pieces, if making or sending a single one would hold up the event loop. */
  readonly body: string | Buffer | Pieces;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The path as in the description of the API: `/api/servers/{name}`. */
  readonly path: string;
  /** `open`: also without a token, for health checks. */
  readonly access: 'open' | 'token';
  /** May throw an ApiError or an OperationError. */
  readonly handle: (call: Call) => Answer | null | Promise<Answer | null>;
}

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n`, headers };
}

/**
 * What is shown for a value at the top of a document, or for an item of a list there; `key` is the key of the value or
 * list.
 */
type View = (value: unknown, key: string) => unknown;

/**
 * JSON in slices, because the text for 10,000 hosts has about 10 MB: a step is one value at the top of the document
 * or one item of a list there; an item that holds a long list takes a step for each item of that. Each piece is made when
 * it is sent.
 */
export function jsonInSlices(document: object, view: View = (value) => value): Answer {
  return { status: 200, type: 'application/json', body: inPieces(new JsonSteps(view).run(document)) };
}

/** Shorter texts are joined before they are encoded. */
const PIECE_CHARACTERS = 32 * 1024;
/** Longer lists are written item by item. */
const SHORT_LIST = 8;

/** A step returns a piece, or null when there is none yet. */
type PieceSteps = Generator<Buffer | null, void, void>;

/** What steps return piece by piece; with other work between two slices. */
async function* inPieces(steps: PieceSteps): AsyncGenerator<Buffer> {
  const slice = new Slice();
  for (const piece of steps) {
    if (piece !== null) yield piece;
    if (slice.isOver) await slice.rest();
  }
}

class JsonSteps {
  readonly #view: View;
  #text = '';

  constructor(view: View) {
    this.#view = view;
  }

  *run(document: object): PieceSteps {
    yield* this.#object(document, this.#view);
    yield Buffer.from(`${this.#text}\n`);
  }

  *#object(value: object, view: View | null): PieceSteps {
    let separator = '{';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      this.#text += `${separator}${JSON.stringify(snakeKey(key))}:`;
      separator = ',';
      if (Array.isArray(item)) yield* this.#list(item, key, view);
      else this.#text += JSON.stringify(snakeCase(view === null ? item : view(item, key)));
    }
    this.#text += '}';
    yield this.#piece();
  }

  *#list(items: readonly unknown[], key: string, view: View | null): PieceSteps {
    this.#text += '[';
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#text += ',';
      const shown = view === null ? item : view(item, key);
      if (hasLongList(shown)) yield* this.#object(shown, null);
      else this.#text += JSON.stringify(snakeCase(shown));
      yield this.#piece();
    }
    this.#text += ']';
  }

  #piece(): Buffer | null {
    if (this.#text.length < PIECE_CHARACTERS) return null;
    const piece = Buffer.from(this.#text);
    this.#text = '';
    return piece;
  }
}

function hasLongList(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).some((item) => Array.isArray(item) && item.length > SHORT_LIST);
}

export function text(body: string, status = 200): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

/** Maximum size of a request body: far more than any request of the API needs. */
const MAX_BODY_BYTES = 64 * 1024;
const EXAMPLE = { hint: 'Send an object such as {"state":"drain"}; /api/openapi.json describes each.' };

/** The JSON object in the body of a request. Throws an ApiError if it is not JSON, not an object, or too long. */
export async function readObject(request: IncomingMessage): Promise<Fields> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json')
    throw new ApiError(415, 'unsupported_media_type', 'expected a body of JSON', {
      hint: 'Send it with Content-Type: application/json.',
    });
  const body = await readBody(request);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new ApiError(400, 'bad_request', `not JSON: ${(error as Error).message}`, EXAMPLE);
  }
  if (!isRecord(value)) throw new ApiError(400, 'bad_request', 'expected a JSON object', EXAMPLE);
  return value;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const body = new GrowingBuffer();
  // Ending the loop early must not close the socket, on which the response is sent.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (body.length + piece.length > MAX_BODY_BYTES)
      throw new ApiError(413, 'body_too_large', `a body may have ${MAX_BODY_BYTES} bytes`, EXAMPLE);
    body.append(piece, 0, piece.length, MAX_BODY_BYTES);
  }
  return body.bytes.toString('utf8');
}
