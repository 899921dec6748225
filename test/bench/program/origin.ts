import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { MANY_ADDRESSES } from '../setup.js';

/**
 * The origin where nginx is not installed: `origin.js FOLDER SMALL_BODY PORT...`. It trusts its clients, finds
 * the end of each request by Content-Length alone, and answers from buffers prepared at the start.
 */
const [folder = '', small = '', ...ports] = process.argv.slice(2);
const FIELDS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id', 'via'];

const replies = new Map<string, Buffer>([
  ['/', response(Buffer.from('ok\n'))],
  ['/small', response(Buffer.from(small))],
  ['/sink', response(Buffer.from('ok\n'))],
  ['/medium', response(readFileSync(join(folder, 'medium')))],
  ['/large', response(readFileSync(join(folder, 'large')))],
]);

for (const port of ports)
  for (const host of ['127.0.0.1', ...MANY_ADDRESSES])
    createServer({ noDelay: true }, serve).listen(Number(port), host, 4096);

function serve(socket: Socket): void {
  let text = '';
  let unread = 0;
  socket.on('error', () => socket.destroy());
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
    for (;;) {
      const skipped = Math.min(unread, text.length);
      unread -= skipped;
      text = text.slice(skipped);
      const end = text.indexOf('\r\n\r\n');
      if (unread > 0 || end < 0) return;
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      unread = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const target = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'));
      const [path = '', query = ''] = target.split('?', 2);
      socket.write(made(path, query, head, socket) ?? replies.get(path) ?? response(Buffer.of()));
      if (/\r\nconnection: *close/i.test(head)) socket.end();
    }
  });
}

function made(path: string, query: string, head: string, socket: Socket): Buffer | undefined {
  if (path === '/fields') return fields(head, socket);
  if (path !== '/rules') return undefined;
  const [own, client, dnt] = ['mycustomheader', 'x-client', 'dnt'].map((name) => fieldOf(head, name));
  return response(Buffer.from(`${own} ${client} -${dnt} ${query}\n`));
}

function fields(head: string, socket: Socket): Buffer {
  const values = FIELDS.map((name) => fieldOf(head, name));
  return response(Buffer.from([socket.localPort, ...values, ''].join('\n')));
}

function fieldOf(head: string, name: string): string {
  return new RegExp(`\r\n${name}: *(.*)`, 'i').exec(head)?.[1] ?? '';
}

function response(body: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);
}
