import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import t, { type Test } from 'tap';
import { acceptFrom, type RawConnection } from '../../lib/net/accept.js';
import { Channel, type ChannelOwner } from '../../lib/net/channel.js';
import { SocketTransport } from '../../lib/net/socket-transport.js';
import { isStreamHandle, loadBindings } from '../../lib/net/stream-binding.js';

/** TLS with a pre-shared key, so that no certificate is needed. */
const PSK = Buffer.alloc(16, 7);
const TLS = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
const SERVER: tls.TlsOptions = { ...TLS, allowHalfOpen: true, pskCallback: () => PSK };
const CLIENT: tls.ConnectionOptions & { allowHalfOpen: boolean } = {
  ...TLS,
  allowHalfOpen: true,
  pskCallback: () => ({ psk: PSK, identity: 'lb' }),
  checkServerIdentity: () => undefined,
};

const SILENT: ChannelOwner = { onBytes() {}, onEnd() {}, onBlocked() {}, onDrain() {}, onClose() {} };

t.equal(loadBindings(), null);

function handleOf(socket: net.Socket): unknown {
  return (socket as unknown as { _handle: unknown })._handle;
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

async function listening(t: Test, server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return portOf(server);
}

/** Both ends of a TLS connection. */
async function tlsPair(t: Test): Promise<{ server: tls.Server; near: tls.TLSSocket; far: tls.TLSSocket }> {
  const server = tls.createServer(SERVER);
  const port = await listening(t, server);
  const accepted = once(server, 'secureConnection');
  const near = tls.connect({ ...CLIENT, host: '127.0.0.1', port });
  await once(near, 'secureConnect');
  const [far] = (await accepted) as [tls.TLSSocket];
  t.teardown(() => {
    near.destroy();
    far.destroy();
  });
  return { server, near, far };
}

t.test('the handles of TCP sockets and of Unix sockets can be written to', async (t) => {
  // A short path: the kernel takes at most 103 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 's');
  for (const place of [{ host: '127.0.0.1', port: 0 }, { path }]) {
    const server = net.createServer().listen(place);
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const near = net.connect('path' in place ? place : { ...place, port: portOf(server) });
    const [far] = (await accepted) as [net.Socket];
    for (const socket of [near, far]) {
      t.ok(isStreamHandle(handleOf(socket)));
      socket.on('error', () => {});
      socket.destroy();
    }
    server.close();
  }
});

t.test('the handle of a TLS socket is not used as a stream handle, on either side', async (t) => {
  const { near, far } = await tlsPair(t);
  const overSocket = new tls.TLSSocket(new net.Socket(), CLIENT);
  const overStream = new tls.TLSSocket(new Duplex({ read() {}, write() {} }), CLIENT);
  t.teardown(() => {
    overSocket.destroy();
    overStream.destroy();
  });
  for (const socket of [near, far, overSocket, overStream]) {
    const handle = handleOf(socket) as { writeBuffer?: unknown };
    t.equal(typeof handle.writeBuffer, 'function', 'it has the methods of a stream');
    t.equal(isStreamHandle(handle), false);
  }
});

t.test('an object that only looks like a handle is not used as one', (t) => {
  const methods = ['useUserBuffer', 'readStart', 'readStop', 'writeLatin1String', 'writeBuffer', 'writev'];
  const lookalike = Object.fromEntries([...methods, 'shutdown', 'close'].map((name) => [name, () => 0]));
  for (const other of [{ ...lookalike, writeQueueSize: 0, fd: 1 }, {}, null, undefined, 'handle'])
    t.equal(isStreamHandle(other), false);
  t.end();
});

t.test('a connection whose handle cannot be used is served by the socket of Node', async (t) => {
  const server = net.createServer({ pauseOnConnect: true });
  await listening(t, server);
  const taken: RawConnection[] = [];
  acceptFrom(server, { enter: (connection) => taken.push(connection) }, 'fast');
  const { far } = await tlsPair(t);
  const { onconnection } = handleOf(server as unknown as net.Socket) as {
    onconnection(error: number, accepted: unknown): void;
  };
  const sockets: net.Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  onconnection.call(handleOf(server as unknown as net.Socket), 0, handleOf(far));
  t.equal(taken.length, 1);
  t.equal(sockets.length, 1);
});

t.test(
  'what is written to a channel over TLS reaches the peer, and the network only encrypted',
  async (t) => {
    const server = tls.createServer(SERVER);
    const port = await listening(t, server);
    const onTheNetwork: Buffer[] = [];
    const between = net.createServer({ allowHalfOpen: true }, (front) => {
      const back = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      front.on('data', (bytes) => onTheNetwork.push(bytes));
      for (const socket of [front, back]) socket.on('error', () => {});
      front.pipe(back).pipe(front);
    });
    const near = tls.connect({ ...CLIENT, host: '127.0.0.1', port: await listening(t, between) });
    const accepted = once(server, 'secureConnection');
    await once(near, 'secureConnect');
    const [far] = (await accepted) as [tls.TLSSocket];
    t.teardown(() => {
      near.destroy();
      far.destroy();
    });

    const answers: string[] = [];
    const channel = new Channel(new SocketTransport(near, 'events'), {
      ...SILENT,
      onBytes: (buffer, length) => answers.push(buffer.toString('latin1', 0, length)),
    });
    const received: Buffer[] = [];
    far.on('data', (bytes: Buffer) => received.push(bytes));
    const body = Buffer.alloc(300_000, 'in clear text ');
    channel.writeText('a head ');
    channel.write(body, 0, body.length);
    channel.writeText(' and an end');
    channel.end();
    await once(far, 'end');
    t.equal(Buffer.concat(received).toString(), `a head ${body.toString()} and an end`);
    const seen = Buffer.concat(onTheNetwork);
    t.ok(seen.length > body.length);
    for (const text of ['a head', 'clear text', 'an end']) t.equal(seen.includes(text), false, text);

    far.end('an answer');
    await once(near, 'close');
    t.equal(answers.join(''), 'an answer');
  },
);

t.test('a channel over TLS is reset without a crash, although TLS has no reset', async (t) => {
  const { near, far } = await tlsPair(t);
  far.on('error', () => {});
  let closed = 0;
  const channel = new Channel(new SocketTransport(near, 'events'), { ...SILENT, onClose: () => closed++ });
  channel.reset();
  far.resume();
  await Promise.race([once(far, 'end'), once(far, 'close')]);
  t.equal(closed, 1);
});
