import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { SocketMode } from '../../lib/net/transport.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field } from '../support/origin.js';
import { Pattern } from '../support/pattern.js';
import { connectTo, OVER_TLS } from '../support/tls-switch.js';

if (OVER_TLS) t.setTimeout(120_000);

const MIB = 1024 * 1024;
const patterns = Array.from({ length: 64 }, (_, seed) => new Pattern(seed));

interface Work {
  readonly seed: number;
  readonly up: number;
  readonly down: number;
  /** How the server frames its body. */
  readonly framing: 'length' | 'close';
  /** The client pauses this often. */
  readonly slow: boolean;
}

/** Reads an upload, then answers with a body of its own; the receivers check both byte by byte. */
async function serve(socket: Socket, failures: string[]): Promise<void> {
  let head = '';
  let at = 0;
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    let body = bytes;
    if (!head.endsWith('\r\n\r\n')) {
      const before = head.length;
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) continue;
      head = head.slice(0, end + 4);
      body = bytes.subarray(end + 4 - before);
    }
    const [, seed = '', down = '', framing = ''] = /^POST \/(\d+)\/(\d+)\/(\w+) /.exec(head) ?? [];
    const pattern = patterns[Number(seed)] as Pattern;
    if (!pattern.matches(body, at)) failures.push(`upload ${seed} is wrong near ${at}`);
    at += body.length;
    if (at < Number(field(head, 'content-length'))) continue;
    socket.write(`HTTP/1.1 200 OK\r\n${framing === 'length' ? `Content-Length: ${down}\r\n` : ''}\r\n`);
    await pour(pattern.pieces(0, Number(down)), socket);
    if (framing === 'close') socket.end();
    head = '';
    at = 0;
  }
}

async function pour(pieces: Generator<Buffer>, socket: Socket): Promise<void> {
  for (const piece of pieces) if (!socket.write(piece)) await once(socket, 'drain');
}

/** Decodes chunks as they arrive. */
class Dechunker {
  #left = 0;
  #line = '';

  /** Calls `onData` for each piece of data; returns true after the last chunk. */
  take(bytes: Buffer, onData: (piece: Buffer) => void): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 2) {
        const piece = bytes.subarray(at, at + this.#left - 2);
        onData(piece);
        at += piece.length;
        this.#left -= piece.length;
      } else if (this.#left > 0) {
        this.#left--;
        at++;
      } else {
        const char = String.fromCharCode(bytes[at++] as number);
        if (char !== '\n') {
          this.#line += char;
          continue;
        }
        const size = Number.parseInt(this.#line, 16);
        this.#line = '';
        if (size === 0) return true;
        this.#left = size + 2;
      }
    }
    return false;
  }
}

/** One request on a connection of its own: sends, receives and checks everything. */
function run(port: number, work: Work, failures: string[]): Promise<void> {
  const { seed, up, down, framing, slow } = work;
  const pattern = patterns[seed] as Pattern;
  const socket = connectTo(port).socket;
  socket.write(`POST /${seed}/${down}/${framing} HTTP/1.1\r\nHost: a\r\nContent-Length: ${up}\r\n\r\n`);
  void pour(pattern.pieces(0, up), socket);
  return new Promise((resolve, reject) => {
    let head: Buffer<ArrayBufferLike> | null = Buffer.alloc(0);
    let received = 0;
    const chunks = new Dechunker();
    const take = (piece: Buffer): void => {
      if (!pattern.matches(piece, received)) failures.push(`download ${seed} is wrong near ${received}`);
      received += piece.length;
    };
    socket.on('data', (bytes) => {
      let body: Buffer<ArrayBufferLike> = bytes;
      if (head !== null) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        body = head.subarray(end + 4);
        head = null;
      }
      let done = false;
      if (framing === 'close') done = chunks.take(body, take);
      else take(body);
      if (done || (framing === 'length' && received === down)) {
        if (received !== down) failures.push(`download ${seed} has ${received} bytes`);
        socket.destroy();
        resolve();
      } else if (slow) {
        socket.pause();
        setTimeout(() => socket.resume(), 1 + (received % 3));
      }
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error(`stream ${seed} ended after ${received} bytes`)));
  });
}

async function runAll(t: Test, works: readonly Work[], means: SocketMode): Promise<void> {
  const failures: string[] = [];
  const server = createServer((socket) => void serve(socket, failures).catch(() => socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port: behind } = server.address() as AddressInfo;
  const { port } = await startBalancer(t, { servers: [`127.0.0.1:${behind}`] }, { sockets: means });
  await Promise.all(works.map((work) => run(port, work, failures)));
  t.strictSame(failures.slice(0, 5), []);
}

for (const means of ['fast', 'documented'] as const) {
  t.test(`${means} sockets: 24 MiB up and 24 MiB down arrive unchanged`, async (t) => {
    await runAll(t, [{ seed: 1, up: 24 * MIB, down: 0, framing: 'length', slow: false }], means);
    await runAll(t, [{ seed: 2, up: 0, down: 24 * MIB, framing: 'length', slow: false }], means);
    await runAll(t, [{ seed: 3, up: 0, down: 16 * MIB, framing: 'close', slow: false }], means);
  });

  t.test(
    `${means} sockets: slow and fast streams, up and down, at the same time arrive unchanged`,
    async (t) => {
      const works = Array.from(
        { length: 50 },
        (_, seed): Work => ({
          seed,
          up: seed % 3 === 0 ? 0 : (seed % 5) * MIB + seed,
          down: seed % 3 === 1 ? 0 : 8 * MIB + seed,
          framing: seed % 4 === 3 ? 'close' : 'length',
          slow: seed % 2 === 0,
        }),
      );
      await runAll(t, works, means);
    },
  );
}

nothingIsLeft(t);
