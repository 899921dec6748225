import type { Test } from 'tap';
import {
  type RawConnection,
  type RawServer,
  type Script,
  startRawServer,
} from '../../fixtures/raw-server.js';

/** A scripted origin that is closed after the test. */
export async function origin(t: Test, script: Script, host?: string, port?: number): Promise<RawServer> {
  const server = await startRawServer(script, host, port);
  t.teardown(() => server.close());
  return server;
}

/** An address of 127.0.0.1 where nobody listens. */
export function deadAddress(): Promise<string> {
  return Promise.resolve(`127.0.0.1:${nextDeadPort++}`);
}

/** A port that was free a moment ago may be somebody's by now; on these nobody ever listens. */
let nextDeadPort = 2;

/** One request as an origin saw it. */
export interface ReceivedRequest {
  readonly head: string;
  /** The body without its framing. */
  readonly body: Buffer;
  /** Lines of the trailer section, each with its CRLF. */
  readonly trailers: string;
}

/** The value of a field in a head or a trailer section; null when it is not there. */
export function field(head: string, name: string): string | null {
  return new RegExp(`^${name}: *(.*?) *\r$`, 'im').exec(head)?.[1] ?? null;
}

/** Reads one whole request, whatever frames it. */
export async function readRequest(connection: RawConnection): Promise<ReceivedRequest> {
  const head = await connection.readHead();
  if (field(head, 'transfer-encoding') !== null) return { head, ...(await readChunks(connection)) };
  const length = Number(field(head, 'content-length') ?? 0);
  return { head, body: await connection.read(length), trailers: '' };
}

async function readChunks(connection: RawConnection): Promise<{ body: Buffer; trailers: string }> {
  const pieces: Buffer[] = [];
  for (;;) {
    const size = Number.parseInt((await connection.readUntil('\r\n')).toString('latin1'), 16);
    if (size === 0) break;
    pieces.push((await connection.read(size + 2)).subarray(0, size));
  }
  let trailers = '';
  for (;;) {
    const line = (await connection.readUntil('\r\n')).toString('latin1');
    if (line === '\r\n') return { body: Buffer.concat(pieces), trailers };
    trailers += line;
  }
}

/** Cuts `bytes` into chunks of `size`, with the last chunk and `trailers` after them. */
export function chunked(bytes: Buffer | string, size: number, trailers = ''): Buffer {
  const body = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  pieces.push(Buffer.from(`0\r\n${trailers}\r\n`, 'latin1'));
  return Buffer.concat(pieces);
}
