import type { ServerResponse } from 'node:http';
import type { Answer, Pieces } from './call.js';

/** A body of at most this many bytes is sent with its length. */
const SHORT_BYTES = 64 * 1024;

/** Sends an answer. Pieces of a long one are taken as fast as the caller reads. Rejects with what making a piece throws. */
export async function send(response: ServerResponse, answer: Answer): Promise<void> {
  const { body } = answer;
  if (typeof body === 'string') sendWhole(response, answer, [Buffer.from(body)]);
  else if (Buffer.isBuffer(body)) sendWhole(response, answer, [body]);
  else await sendPieces(response, answer, body);
}

function sendWhole(response: ServerResponse, answer: Answer, pieces: readonly Buffer[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (answer.status !== 204) response.setHeader('content-length', length);
  writeHead(response, answer);
  for (const piece of pieces) response.write(piece);
  response.end();
}

async function sendPieces(response: ServerResponse, answer: Answer, pieces: Pieces): Promise<void> {
  let begun: Buffer[] | null = [];
  let length = 0;
  for await (const piece of pieces) {
    if (response.destroyed) return;
    length += piece.length;
    if (begun !== null) {
      begun.push(piece);
      if (length <= SHORT_BYTES) continue;
      writeHead(response, answer);
      // Its head is all that is asked for.
      if (response.req.method === 'HEAD') break;
    }
    for (const next of begun ?? [piece]) if (!response.write(next)) await drained(response);
    begun = null;
  }
  if (begun !== null && length <= SHORT_BYTES) sendWhole(response, answer, begun);
  else response.end();
}

function writeHead(response: ServerResponse, { status, type, headers = {} }: Answer): void {
  response.writeHead(status, { ...(type === '' ? {} : { 'content-type': type }), ...headers });
}

/** Resolves when the caller has read what it was sent, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
    if (response.destroyed) done();
  });
}
