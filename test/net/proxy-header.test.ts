import fc from 'fast-check';
import t from 'tap';
import { crc32c } from '../../lib/net/crc32c.js';
import { type ProxyHeader, ProxyHeaderParser } from '../../lib/net/proxy-header.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { binaryHeader, tlv, withChecksum } from '../support/proxy-header.js';

const V4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];
const V6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ...[0xdc, 0x04, 0x01, 0xbb],
];
const TLS = tlv(
  0x20,
  Buffer.concat([
    Buffer.from([0x07, 0, 0, 0, 0]),
    tlv(0x21, 'TLSv1.3'),
    tlv(0x22, 'Zoë'),
    tlv(0x23, 'TLS_AES_128_GCM_SHA256'),
    tlv(0x24, 'SHA256'),
    tlv(0x25, 'RSA2048'),
  ]),
);

/** The result of parsing `pieces`, and how many bytes of them belonged to the header. */
function read(...pieces: (Buffer | string)[]): { result: string; header: ProxyHeader | null; used: number } {
  const parser = new ProxyHeaderParser();
  let used = 0;
  for (const piece of pieces) {
    const bytes = Buffer.from(piece as string, 'latin1');
    // In the middle of a buffer, like bytes that were read.
    const buffer = Buffer.concat([Buffer.from('PROXY'), bytes, Buffer.from('\r\nQUIT')]);
    used += parser.read(buffer, 5, 5 + bytes.length) - 5;
    // A read buffer is reused.
    buffer.fill(0x58);
  }
  const { header, refusal } = parser;
  return { result: describe(parser), header, used: refusal === null ? used : -1 };
}

function describe({ header, refusal }: ProxyHeaderParser): string {
  if (refusal !== null) return `${refusal.kind}: ${refusal.detail}`;
  if (header === null) return 'more';
  if (header.isLocal) return 'local';
  if (header.ends === null) return 'unknown';
  const { source, sourcePort, destination, destinationPort } = header.ends;
  return `${source.text} ${sourcePort} ${destination.text} ${destinationPort}`;
}

const GOOD: readonly (readonly [name: string, bytes: Buffer | string, result: string])[] = [
  ['v1 of IPv4', 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n', '192.0.2.1 56324 198.51.100.2 443'],
  ['v1 of IPv6', 'PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 1 65535\r\n', '2001:db8::1 1 2001:db8::2 65535'],
  ['v1 of IPv4 in IPv6', 'PROXY TCP6 ::ffff:192.0.2.1 ::1 0 80\r\n', '192.0.2.1 0 ::1 80'],
  [
    'v1 of the longest IPv6 addresses',
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
    `${'ffff:'.repeat(7)}ffff 65535 ${'ffff:'.repeat(7)}ffff 65535`,
  ],
  ['v1 without addresses', 'PROXY UNKNOWN\r\n', 'unknown'],
  ['v1 without addresses, 107 bytes long', `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, 'unknown'],
  ['v2 of IPv4', binaryHeader(0x21, 0x11, V4), '192.0.2.1 56324 198.51.100.2 443'],
  ['v2 of IPv6', binaryHeader(0x21, 0x21, V6), '2001:db8::1 56324 2001:db8::2 443'],
  ['v2 of UDP over IPv4', binaryHeader(0x21, 0x12, V4), '192.0.2.1 56324 198.51.100.2 443'],
  ['v2 of UDP over IPv6', binaryHeader(0x21, 0x22, V6), '2001:db8::1 56324 2001:db8::2 443'],
  ['v2 of a Unix socket', binaryHeader(0x21, 0x31, Buffer.alloc(216, '/')), 'unknown'],
  ['v2 of Unix datagrams', binaryHeader(0x21, 0x32, Buffer.alloc(216)), 'unknown'],
  ['v2 of no addresses', binaryHeader(0x21, 0x00, []), 'unknown'],
  ['v2 of no addresses, with a TLV', binaryHeader(0x21, 0x00, tlv(0x02, 'a.example')), 'unknown'],
  ['v2 LOCAL', binaryHeader(0x20, 0x00, []), 'local'],
  ['v2 LOCAL with addresses, which are ignored', binaryHeader(0x20, 0x11, V4), 'local'],
  ['v2 LOCAL with otherwise malformed contents', binaryHeader(0x20, 0xff, 'anything'), 'local'],
  [
    'v2 with all TLVs',
    withChecksum(
      binaryHeader(
        0x21,
        0x11,
        Buffer.concat([
          Buffer.from(V4),
          tlv(0x01, 'http/1.1'),
          tlv(0x02, 'WWW.Example.com'),
          tlv(0x03, Buffer.alloc(4)),
          tlv(0x04, Buffer.alloc(7)),
          tlv(0x04, ''),
          tlv(0x05, 'unique'),
          TLS,
          tlv(0x30, 'netns-1'),
          tlv(0xe0, 'of a vendor'),
          tlv(0xe0, 'of a vendor, once more'),
        ]),
      ),
    ),
    '192.0.2.1 56324 198.51.100.2 443',
  ],
  [
    'v2 of 4096 bytes',
    binaryHeader(0x21, 0x11, Buffer.concat([Buffer.from(V4), tlv(0x04, Buffer.alloc(4096 - 16 - 12 - 3))])),
    '192.0.2.1 56324 198.51.100.2 443',
  ],
];

t.test('a complete PROXY header is read, and nothing after it', (t) => {
  for (const [name, bytes, result] of GOOD) {
    const { length } = Buffer.from(bytes as string, 'latin1');
    t.match(read(bytes), { result, used: length }, name);
    for (const rest of ['GET / HTTP/1.1\r\n\r\n', '\n', '\r\n', '\x16\x03\x01', 'PROXY UNKNOWN\r\n']) {
      const both = Buffer.concat([Buffer.from(bytes as string, 'latin1'), Buffer.from(rest, 'latin1')]);
      t.match(read(both), { result, used: length }, `${name}, then ${JSON.stringify(rest)}`);
    }
  }
  t.end();
});

t.test('a PROXY header that is cut at any byte is read alike', (t) => {
  for (const [name, bytes, result] of GOOD) {
    const all = Buffer.from(bytes as string, 'latin1');
    const rest = Buffer.from('GET / HTTP/1.1\r\n\r\n');
    for (let at = 0; at < all.length; at++) {
      const first = read(all.subarray(0, at));
      const both = read(all.subarray(0, at), Buffer.concat([all.subarray(at), rest]));
      if (first.result !== 'more' || first.used !== at) t.fail(`${name}: not whole after ${at} bytes`);
      if (both.result !== result || both.used !== all.length) t.fail(`${name}: cut at ${at}`);
    }
    const each = read(...[...all].map((byte) => Buffer.from([byte])), rest);
    t.match(each, { result, used: all.length }, `${name}, byte by byte`);
  }
  t.end();
});

t.test('TLS, requested name and protocol are read from the TLVs of a PROXY header', (t) => {
  const all = GOOD.find(([name]) => name === 'v2 with all TLVs');
  const { header } = read(all?.[1] as Buffer);
  t.match(header, {
    version: 2,
    alpn: 'http/1.1',
    authority: 'www.example.com',
    uniqueId: 'unique',
    namespace: 'netns-1',
    tls: {
      isEncrypted: true,
      hasCertificate: true,
      isVerified: true,
      version: 'TLSv1.3',
      commonName: 'Zoë',
      cipher: 'TLS_AES_128_GCM_SHA256',
    },
  });
  const ofTls = (client: number, verify: number): unknown =>
    read(binaryHeader(0x21, 0x00, tlv(0x20, Buffer.from([client, 0, 0, 0, verify])))).header?.tls;
  t.match(ofTls(0, 0), { isEncrypted: false, hasCertificate: false, isVerified: false, version: null });
  t.match(ofTls(1, 0), { isEncrypted: true, hasCertificate: false, isVerified: false });
  t.match(ofTls(3, 0), { isEncrypted: true, hasCertificate: true, isVerified: true });
  t.match(ofTls(5, 20), { isEncrypted: true, hasCertificate: true, isVerified: false });
  t.equal(read(binaryHeader(0x21, 0x00, [])).header?.tls, null);
  t.end();
});

t.test('an authority that is no valid host name is ignored', (t) => {
  const named = (authority: string): string | null | undefined =>
    read(binaryHeader(0x21, 0x00, tlv(0x02, authority))).header?.authority;
  t.equal(named('A.example'), 'a.example');
  t.equal(named('xn--bcher-kva_1.example'), 'xn--bcher-kva_1.example');
  for (const bad of [
    '',
    ' ',
    'a b',
    'a\r\nX: y',
    'a..b',
    '.a',
    'a.',
    'a:80',
    'b\xfccher',
    'a'.repeat(256),
    'a/b',
  ])
    t.equal(named(bad), null, JSON.stringify(bad));
  t.end();
});

const V1 = 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443';

t.test('a line of version 1 with any deviation is malformed', (t) => {
  for (const line of [
    `${V1}\n`,
    `${V1} \r\n`,
    `${V1} 1\r\n`,
    `${V1}\r\r\n`,
    `${V1}\0\r\n`,
    'PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.1  198.51.100.2 56324 443\r\n',
    'PROXY TCP4\t192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2\r\n',
    'PROXY TCP4\r\n',
    'PROXY \r\n',
    'PROXY tcp4 192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY TCP 192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY unknown\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY TCP4 192.0.2.01 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.2 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 ::1 ::1 56324 443\r\n',
    'PROXY TCP4 192.0.2.1 ::1 56324 443\r\n',
    'PROXY TCP6 192.0.2.1 ::1 56324 443\r\n',
    'PROXY TCP6 ::1%eth0 ::1 56324 443\r\n',
    'PROXY TCP6 [::1] ::1 56324 443\r\n',
    'PROXY TCP6 ::1::2 ::1 56324 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 056324 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 00\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1e3 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 0x10 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n',
    'PROXY TCP4 example.com 198.51.100.2 1 443\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'x'.repeat(5000)}`,
  ])
    t.match(read(line), { result: /^malformed: / }, JSON.stringify(line));
  t.equal(read(`PROXY UNKNOWN ${'x'.repeat(91)}\r`).result, 'more');
  t.match(read(`PROXY UNKNOWN ${'x'.repeat(93)}`).result, /malformed/, 'before its end');
  t.end();
});

t.test('a binary PROXY header with any deviation is malformed', (t) => {
  const v4 = Buffer.from(V4);
  const withTlvs = (...tlvs: Buffer[]): Buffer => binaryHeader(0x21, 0x11, Buffer.concat([v4, ...tlvs]));
  const longer = withTlvs();
  longer.writeUInt16BE(4081, 14);
  const cases: readonly (readonly [name: string, bytes: Buffer])[] = [
    ['version 1', binaryHeader(0x11, 0x11, V4)],
    ['version 3', binaryHeader(0x31, 0x11, V4)],
    ['an unknown command', binaryHeader(0x22, 0x11, V4)],
    ['an unknown family', binaryHeader(0x21, 0x41, V4)],
    ['an unknown transport', binaryHeader(0x21, 0x13, V4)],
    ['a family without a transport', binaryHeader(0x21, 0x10, V4)],
    ['a transport without a family', binaryHeader(0x21, 0x01, [])],
    ['addresses of IPv4 that are cut', binaryHeader(0x21, 0x11, V4.slice(0, 11))],
    ['addresses of IPv6 that are cut', binaryHeader(0x21, 0x21, V6.slice(0, 35))],
    ['addresses of Unix sockets that are cut', binaryHeader(0x21, 0x31, Buffer.alloc(215))],
    ['no addresses at all', binaryHeader(0x21, 0x11, [])],
    ['more than 4096 bytes', longer],
    ['a TLV of one byte', withTlvs(Buffer.from([4]))],
    ['a TLV of two bytes', withTlvs(Buffer.from([4, 0]))],
    ['a TLV beyond the end', withTlvs(Buffer.from([4, 0, 1]))],
    ['a TLV far beyond the end', withTlvs(Buffer.from([0xee, 0xff, 0xff, 0]))],
    ['a checksum of 3 bytes', withTlvs(tlv(3, Buffer.alloc(3)))],
    ['a checksum of 5 bytes', withTlvs(tlv(3, Buffer.alloc(5)))],
    ['a wrong checksum', withTlvs(tlv(3, Buffer.alloc(4)))],
    ['two checksums', withChecksum(withTlvs(tlv(3, Buffer.alloc(4)), tlv(3, Buffer.alloc(4))))],
    ['two authorities', withTlvs(tlv(2, 'a'), tlv(2, 'b'))],
    ['two TLVs of TLS', withTlvs(TLS, TLS)],
    ['a unique ID of 129 bytes', withTlvs(tlv(5, Buffer.alloc(129)))],
    ['a TLV of TLS of 4 bytes', withTlvs(tlv(0x20, Buffer.alloc(4)))],
    ['a TLV within TLS that is cut', withTlvs(tlv(0x20, Buffer.alloc(7)))],
    [
      'a TLV within TLS beyond its end',
      withTlvs(tlv(0x20, Buffer.from([1, 0, 0, 0, 0, 0x21, 0, 9, 65])), tlv(4, 'padding')),
    ],
    ['TLVs after no addresses that are cut', binaryHeader(0x21, 0x00, [1])],
  ];
  for (const [name, bytes] of cases) t.match(read(bytes), { result: /^malformed: / }, name);
  const whole = GOOD.find(([name]) => name === 'v2 with all TLVs')?.[1] as Buffer;
  const checksum = whole.indexOf(Buffer.from([3, 0, 4]));
  for (let at = 12; at < whole.length; at++) {
    // With another type there is no checksum.
    if (at === checksum) continue;
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    // A longer length waits for more bytes.
    if (!/^malformed: |^more$/.test(read(bytes).result)) t.fail(`a checksum does not see byte ${at}`);
  }
  t.end();
});

t.test('a missing PROXY header is detected at the first byte that differs', (t) => {
  for (const [bytes, at] of [
    ['GET / HTTP/1.1\r\n\r\n', 1],
    ['POST / HTTP/1.1\r\n\r\n', 2],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 3],
    ['PROPFIND / HTTP/1.1\r\n\r\n', 4],
    ['PROXY\r\n', 6],
    ['\x16\x03\x01\x02\0', 1],
    ['\r\nGET / HTTP/1.1', 3],
    ['\r\n\r\n\0\r\nQUIt\n', 11],
    ['\0', 1],
    [' PROXY UNKNOWN\r\n', 1],
    ['proxy unknown\r\n', 1],
  ] as const) {
    t.match(read(bytes), { result: 'missing: no PROXY header' }, JSON.stringify(bytes));
    t.equal(read(bytes.slice(0, at - 1)).result, 'more', `${JSON.stringify(bytes)} before byte ${at}`);
    t.match(read(bytes.slice(0, at)), { result: /^missing/ }, `${JSON.stringify(bytes)} at byte ${at}`);
  }
  t.end();
});

t.test('any bytes are parsed alike as a PROXY header, however they are cut', (t) => {
  const good = fc.constantFrom(...GOOD.map(([, bytes]) => Buffer.from(bytes as string, 'latin1')));
  const flipped = fc.tuple(good, fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
    const other = Buffer.from(bytes);
    other[at % other.length] = value;
    return other;
  });
  const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const begun = fc.tuple(fc.constantFrom('PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0'), garbage);
  const headers = fc.oneof(
    good,
    flipped,
    garbage,
    begun.map(([start, rest]) => Buffer.concat([Buffer.from(start, 'latin1'), rest])),
  );
  fc.assert(
    fc.property(headers, garbage, fc.array(fc.nat(400), { maxLength: 8 }), (header, rest, cuts) => {
      const all = Buffer.concat([header, rest]);
      const at = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
      const pieces = at.slice(1).map((end, i) => all.subarray(at[i], end));
      const whole = read(all);
      const cut = read(...pieces);
      return whole.result === cut.result && whole.used === cut.used;
    }),
    { numRuns: FUZZ_RUNS },
  );
  t.end();
});

t.test('CRC32C is the one of RFC 3720', (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  t.end();
});
