import { createServer, type Socket } from 'node:net';

/**
 * The server of tiny chunks, `origin.js PORT`, a program of its own. `GET /down` gets chunks without an end, a PUT or
 * POST is taken without an answer, anything else is answered with 200. Told `count` it says how many bytes of chunks it
 * has sent.
 */
const [port = ''] = process.argv.slice(2);
const CHUNK = '1;e\r\na\r\n';
const BLOCK = Buffer.from(CHUNK.repeat(8192), 'latin1');
const HEAD = 'HTTP/1.1 200 OK\r\n';

let ended = 0;
const sending = new Set<Socket>();

function sendChunks(socket: Socket): void {
  const flood = (): void => {
    if (!socket.destroyed) socket.write(BLOCK, flood);
  };
  sending.add(socket);
  socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  flood();
  socket.on('close', () => {
    sending.delete(socket);
    ended += sentOn(socket);
  });
}

function sentOn(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

function serve(socket: Socket): void {
  let text = '';
  const onData = (bytes: Buffer): void => {
    text += bytes.toString('latin1');
    if (!text.includes('\r\n\r\n')) return;
    const isUpload = /^(PUT|POST) /.test(text);
    const isDownload = text.startsWith('GET /down ');
    text = '';
    if (!isUpload && !isDownload) {
      socket.write(`${HEAD}Content-Length: 3\r\n\r\nok\n`);
      return;
    }
    socket.off('data', onData);
    // What comes from now on is dropped.
    socket.resume();
    if (isDownload) sendChunks(socket);
  };
  socket.on('data', onData);
  socket.on('error', () => socket.destroy());
}

createServer({ noDelay: true }, serve).listen(Number(port), '127.0.0.1', 4096, () => process.send?.('ready'));

process.on('message', () => {
  let bytes = ended;
  for (const socket of sending) bytes += sentOn(socket);
  process.send?.({ bytes });
});
process.on('disconnect', () => process.exit());
