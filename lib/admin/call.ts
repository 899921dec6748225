import type { IncomingMessage, ServerResponse } from 'node:http';
import { GrowingBuffer } from '../base/growing-buffer.js';
import { inSlices, type Steps } from '../base/slices.js';
import { snakeKey } from '../config/key-names.js';
import { ApiError } from './api-error.js';
import type { Role } from './authorization.js';
import { snakeCase } from './config-view.js';

/** One request to the admin listener, let in by the gate. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** What stands in place of `{name}` in the route's path, decoded; empty when it has none. */
  readonly name: string;
  /** By the token it has shown. */
  readonly standing: Role;
}

/** What a handler gives back; null when it has taken the response over. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  /** Several pieces, where a single one would hold up the event loop when it is made. */
  readonly body: string | Buffer | readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** As in the description of the API: `/api/servers/{name}`. */
  readonly path: string;
  /** `open`: also without the token, for those who only ask whether it lives. */
  readonly access: 'open' | 'token';
  /** May throw an ApiError or an OperationError. */
  readonly handle: (call: Call) => Answer | null | Promise<Answer | null>;
}

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n`, headers };
}

/** What is shown of a value at the top of a document, or of an item of a list there; `key` is that of the value or list. */
type View = (value: unknown, key: string) => unknown;

/**
 * JSON in slices, as the text of 10,000 hosts has some 10 MB: each value at the top of the document and each item of a list
 * there, and in those each item of a long list, is a step.
 */
export async function jsonInSlices(document: object, view: View = (value) => value): Promise<Answer> {
  const pieces: Buffer[] = [];
  await inSlices(new JsonSteps(view, pieces).run(document));
  return { status: 200, type: 'application/json', body: pieces };
}

/** Shorter texts are put together before they become bytes. */
const PIECE_CHARACTERS = 32 * 1024;
/** Longer lists are taken apart. */
const SHORT_LIST = 8;

class JsonSteps {
  readonly #view: View;
  readonly #pieces: Buffer[];
  #text = '';

  constructor(view: View, pieces: Buffer[]) {
    this.#view = view;
    this.#pieces = pieces;
  }

  *run(document: object): Steps<void> {
    yield* this.#object(document, this.#view);
    this.#pieces.push(Buffer.from(`${this.#text}\n`));
  }

  *#object(value: object, view: View | null): Steps<void> {
    let separator = '{';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      this.#text += `${separator}${JSON.stringify(snakeKey(key))}:`;
      separator = ',';
      if (Array.isArray(item)) yield* this.#list(item, key, view);
      else this.#add(JSON.stringify(snakeCase(view === null ? item : view(item, key))));
    }
    this.#add('}');
    yield;
  }

  *#list(items: readonly unknown[], key: string, view: View | null): Steps<void> {
    this.#text += '[';
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#text += ',';
      const shown = view === null ? item : view(item, key);
      if (hasLongList(shown)) yield* this.#object(shown, null);
      else this.#add(JSON.stringify(snakeCase(shown)));
      yield;
    }
    this.#add(']');
  }

  #add(text: string): void {
    this.#text += text;
    if (this.#text.length < PIECE_CHARACTERS) return;
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

function hasLongList(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).some((item) => Array.isArray(item) && item.length > SHORT_LIST);
}

export function text(body: string, status = 200): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

/** What may be sent: far more than any request of the API needs. */
const MAX_BODY_BYTES = 64 * 1024;
const EXAMPLE = { hint: 'Send an object such as {"state":"drain"}; /api/openapi.json describes each.' };

/** The JSON object in the body of a request. Throws an ApiError: not JSON, not an object, or too long. */
export async function readObject(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
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
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError(400, 'bad_request', 'expected a JSON object', EXAMPLE);
  return value as Readonly<Record<string, unknown>>;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const body = new GrowingBuffer();
  // Left early, it must not take the socket along: there is still something to be said on it.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (body.length + piece.length > MAX_BODY_BYTES)
      throw new ApiError(413, 'body_too_large', `a body may have ${MAX_BODY_BYTES} bytes`, EXAMPLE);
    body.append(piece, 0, piece.length, MAX_BODY_BYTES);
  }
  return body.bytes.toString('utf8');
}
