import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import fc from 'fast-check';
import t from 'tap';
import { ALERT, MAX_HELLO, readClientHello } from '../../lib/net/client-hello.js';

/** The first bytes that a TLS client sends. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ host: '127.0.0.1', port, ...options });
  client.on('error', () => {});
  const [socket] = (await accepted) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

/** A ClientHello with these extensions, each given as type and bytes. */
function helloWith(...extensions: readonly (readonly [type: number, data: Buffer])[]): Buffer {
  const list = extensions.map(([type, data]) =>
    Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, data)]),
  );
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    vector(1, Buffer.alloc(0)),
    vector(2, Buffer.from([0x13, 0x01])),
    vector(1, Buffer.from([0])),
    vector(2, Buffer.concat(list)),
  ]);
  const message = Buffer.concat([Buffer.from([1]), vector(3, body)]);
  return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message)]);
}

function vector(size: number, data: Buffer): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(data.length, 0, size);
  return Buffer.concat([length, data]);
}

function named(name: string | Buffer): Buffer {
  const value = typeof name === 'string' ? Buffer.from(name, 'latin1') : name;
  return helloWith([0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, value)]))]);
}

t.test('the name and the protocols are read from a ClientHello, in TLS 1.2 and 1.3', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const hello = await helloOf({
      servername: 'WWW.Example.com',
      ALPNProtocols: ['h2', 'http/1.1'],
      maxVersion,
    });
    t.strictSame(readClientHello(hello), { name: 'www.example.com', protocols: ['h2', 'http/1.1'] });
  }
  t.strictSame(readClientHello(await helloOf({})), { name: null, protocols: [] });
});

t.test('a ClientHello is complete only with its last byte', async (t) => {
  const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['http/1.1'] });
  for (let length = 0; length < hello.length; length++)
    if (readClientHello(hello.subarray(0, length)) !== null) t.fail(`read after ${length} bytes`);
  t.match(readClientHello(hello), { name: 'a.example' });
});

t.test('a ClientHello in several records is one, wherever it is cut', async (t) => {
  const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['http/1.1'] });
  for (const size of [1, 3, 4, 5, 63, 100]) {
    const records = inRecords(hello, size);
    for (let length = 0; length < records.length; length++)
      if (readClientHello(records.subarray(0, length)) !== null) t.fail(`read after ${length} of ${size}`);
    t.strictSame(readClientHello(records), { name: 'a.example', protocols: ['http/1.1'] });
  }
});

t.test('a host name is converted to lower case, without a final dot', (t) => {
  t.match(readClientHello(named('A.Example.')), { name: 'a.example' });
  t.match(readClientHello(named('xn--bcher-kva.example')), { name: 'xn--bcher-kva.example' });
  t.end();
});

t.test('a host name with control characters, blanks or other bytes is refused', (t) => {
  for (const name of ['', '.', 'a b', 'a\r\nX: y', 'a\0b', 'b\xfccher', 'a'.repeat(256)])
    t.strictSame(readClientHello(named(name)), { fault: 'garbage', alert: ALERT.illegalParameter }, name);
  t.end();
});

t.test('plain HTTP is told from TLS and garbage by the first byte', (t) => {
  for (const text of ['GET / HTTP/1.1\r\n', 'P', 'post /', 'PRI * HTTP/2.0'])
    t.match(readClientHello(Buffer.from(text)), { fault: 'plain_http' });
  for (const bytes of [[0x80, 0x2e, 1], [0], [23, 3, 3, 0, 1], [0xff]])
    t.strictSame(readClientHello(Buffer.from(bytes)), { fault: 'garbage', alert: 0 });
  t.end();
});

t.test('bytes that only begin like TLS are garbage', (t) => {
  for (const [bytes, alert] of [
    [[22, 4, 0, 0, 5], 0],
    [[22, 3, 1, 0, 0], 0],
    [[22, 3, 1, 0xff, 0xff], 0],
    [[22, 3, 1, 0, 4, 2, 0, 0, 0], ALERT.decodeError],
    [[22, 3, 1, 0, 4, 1, 1, 0, 0], ALERT.decodeError],
    [[22, 3, 1, 0, 2, 1, 0, 21, 3, 3], ALERT.decodeError],
    [[22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3], ALERT.decodeError],
  ] as const)
    t.strictSame(readClientHello(Buffer.from(bytes)), { fault: 'garbage', alert }, String(bytes));
  t.end();
});

t.test('a ClientHello is read up to 16 KiB', (t) => {
  const large = helloWith([21, Buffer.alloc(MAX_HELLO - 200)]);
  t.strictSame(readClientHello(large), { name: null, protocols: [] });
  const tooLarge = inRecords(helloWith([21, Buffer.alloc(MAX_HELLO)]), 8192);
  t.strictSame(readClientHello(tooLarge), { fault: 'garbage', alert: ALERT.decodeError });
  const endless = Buffer.concat(Array.from({ length: 3000 }, () => Buffer.from([22, 3, 1, 0, 1, 1])));
  t.strictSame(readClientHello(endless), { fault: 'garbage', alert: ALERT.decodeError });
  t.end();
});

t.test('a ClientHello in thousands of records is read in the time of a copy', (t) => {
  const records = inRecords(helloWith([21, Buffer.alloc(2900)]), 1).subarray(0, MAX_HELLO - 1);
  const { user } = process.cpuUsage();
  for (let i = 0; i < 50; i++) t.equal(readClientHello(records), null);
  t.ok(
    process.cpuUsage().user - user < 1_000_000,
    'each below 20 ms, where joining them again with each record took 190',
  );
  t.end();
});

t.test('reading any bytes as a ClientHello ends without a throw', async () => {
  const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['http/1.1'] });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      readClientHello(Buffer.concat([Buffer.from([22, 3, 1]), Buffer.from(bytes)]));
    }),
  );
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(hello);
      changed[at] = byte;
      readClientHello(changed);
    }),
  );
});
