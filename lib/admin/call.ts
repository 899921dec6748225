import type { IncomingMessage, ServerResponse } from 'node:http';
import { GrowingBuffer } from '../base/growing-buffer.js';
import { ApiError } from './api-error.js';
import type { Role } from './authorization.js';

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
  readonly body: string | Buffer;
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
