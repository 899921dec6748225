import { connect } from 'node:net';
import * as tls from 'node:tls';
import { type Outcome, quantile } from './outcome.js';
import type { RunningPeer } from './peer.js';
import type { StreamLoad } from './row.js';

const READ_BYTES = 256 * 1024;
const MEBIBYTE = 1024 * 1024;
const HEAD_LIMIT = 16 * 1024;

/** Fetches bodies on keep-alive connections and counts their bytes; after `seconds` each ends with its body. */
export async function stream(load: StreamLoad, peer: Server, seconds: number): Promise<Outcome> {
  const started = performance.now();
  const deadline = started + seconds * 1000;
  const fetched = await Promise.all(
    Array.from({ length: load.connections }, () => fetchUntil(deadline, peer, load.path)),
  );
  const bodies = fetched.flat();
  const times = bodies.map((body) => body.milliseconds);
  return {
    units: bodies.reduce((sum, body) => sum + body.bytes, 0) / MEBIBYTE,
    seconds: (performance.now() - started) / 1000,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    failures: '',
  };
}

type Server = Pick<RunningPeer, 'port' | 'secure'>;

interface Body {
  readonly bytes: number;
  readonly milliseconds: number;
}

/** Rejects when the connection ends early or a response has no Content-Length. */
function fetchUntil(deadline: number, { port, secure }: Server, path: string): Promise<Body[]> {
  return new Promise((resolve, reject) => {
    const bodies: Body[] = [];
    let head = '';
    let size = -1;
    let unread = 0;
    let sentAt = 0;

    const options = {
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      onread: { buffer: Buffer.allocUnsafe(READ_BYTES), callback: read },
    };
    const socket = secure ? tls.connect(options as tls.ConnectionOptions) : connect(options);
    socket.on(secure ? 'secureConnect' : 'connect', ask);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`connection ended ${unread} bytes before the end of a body`)));

    function ask(): void {
      head = '';
      size = -1;
      sentAt = performance.now();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    }

    function read(count: number, buffer: Uint8Array): boolean {
      const body = size < 0 ? beginBody(Buffer.from(buffer.buffer, buffer.byteOffset, count)) : count;
      unread -= body;
      if (size < 0 || unread > 0) return true;
      bodies.push({ bytes: size, milliseconds: performance.now() - sentAt });
      if (unread === 0 && performance.now() < deadline) ask();
      else finish();
      return true;
    }

    function finish(): void {
      if (unread < 0) reject(new Error(`${-unread} bytes after the end of a body`));
      resolve(bodies);
      socket.destroy();
    }

    /** Gives the number of body bytes that came with the end of the head. */
    function beginBody(bytes: Buffer): number {
      const before = head.length;
      head += bytes.toString('latin1', 0, HEAD_LIMIT);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return 0;
      const length = /^HTTP\/1\.1 200 .*\r\ncontent-length: *(\d+)/is.exec(head)?.[1];
      if (length === undefined) {
        socket.destroy(new Error(`not a 200 with Content-Length: ${head.slice(0, 80)}`));
        return 0;
      }
      size = Number(length);
      unread = size;
      return bytes.length - (end + 4 - before);
    }
  });
}
