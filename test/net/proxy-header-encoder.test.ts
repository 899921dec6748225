import fc from 'fast-check';
import t from 'tap';
import { type ConnectionEnds, connectionEnds, NO_ENDS } from '../../lib/base/connection-ends.js';
import { IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';
import {
  type ClientCertificate,
  PLAIN_TRANSPORT,
  type TransportInfo,
} from '../../lib/base/transport-info.js';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { type ProxyHeader, ProxyHeaderParser } from '../../lib/net/proxy-header.js';
import { encodeProxyHeader, localProxyHeader } from '../../lib/net/proxy-header-encoder.js';
import { FUZZ_RUNS } from '../support/fuzz.js';

function ends(
  source: string,
  sourcePort: number,
  destination: string,
  destinationPort: number,
): ConnectionEnds {
  const [from, to] = [source, destination].map((text) => parseIpAddress(text) ?? IpAddress.unix);
  return { source: from as IpAddress, sourcePort, destination: to as IpAddress, destinationPort };
}

function encode(
  version: 'v1' | 'v2',
  of: ConnectionEnds,
  transport: TransportInfo = PLAIN_TRANSPORT,
): string {
  return encodeProxyHeader(version, { source: { ends: of }, transport });
}

function read(text: string): ProxyHeader | string {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new ProxyHeaderParser();
  const end = parser.read(bytes, 0, bytes.length);
  return parser.header !== null && end === bytes.length ? parser.header : JSON.stringify(parser.refusal);
}

t.test('version 1 of a PROXY header is a line, in which IPv4 beside IPv6 is written as IPv6', (t) => {
  t.equal(
    encode('v1', ends('192.0.2.1', 56324, '198.51.100.2', 443)),
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n',
  );
  t.equal(encode('v1', ends('2001:db8::1', 1, '::1', 2)), 'PROXY TCP6 2001:db8::1 ::1 1 2\r\n');
  t.equal(encode('v1', ends('192.0.2.1', 1, '::1', 2)), 'PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n');
  t.equal(encode('v1', ends('::1', 1, '192.0.2.1', 2)), 'PROXY TCP6 ::1 ::ffff:192.0.2.1 1 2\r\n');
  t.equal(encode('v1', NO_ENDS), 'PROXY UNKNOWN\r\n');
  t.equal(localProxyHeader('v1'), 'PROXY UNKNOWN\r\n');
  t.end();
});

t.test('version 2 of a PROXY header is binary, exact to the byte', (t) => {
  const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
  const signature = '0d0a0d0a000d0a515549540a';
  t.equal(hex(localProxyHeader('v2')), `${signature}20000000`);
  t.equal(hex(encode('v2', NO_ENDS)), `${signature}21000000`);
  t.equal(
    hex(encode('v2', ends('192.0.2.1', 56324, '198.51.100.2', 443))),
    `${signature}2111000cc0000201c6336402dc0401bb`,
  );
  t.equal(
    hex(encode('v2', ends('192.0.2.1', 1, '2001:db8::2', 65535))),
    `${signature}21210024${'00'.repeat(10)}ffffc000020120010db8${'00'.repeat(11)}020001ffff`,
  );
  t.end();
});

t.test('PROXY headers of both versions are parsed to what was encoded', (t) => {
  const v4 = fc.nat(0xffffffff).map((value) => IpAddress.v4(value));
  const v6 = fc
    .tuple(...[0, 1, 2, 3].map(() => fc.nat(0xffffffff)))
    .map((words) => IpAddress.v6(Uint32Array.from(words)));
  const address = fc.oneof(v4, v6);
  const port = fc.nat(65535);
  fc.assert(
    fc.property(address, port, address, port, (source, sourcePort, destination, destinationPort) => {
      const of = { source, sourcePort, destination, destinationPort };
      for (const version of ['v1', 'v2'] as const) {
        const header = read(encode(version, of));
        if (typeof header === 'string') throw new Error(header);
        t.same(header.ends, of);
      }
    }),
    { numRuns: FUZZ_RUNS / 4 },
  );
  t.end();
});

const CERTIFICATE: ClientCertificate = {
  error: '',
  subject: 'O=Example\\, Inc.,CN=Zo\\C3\\AB \\"x\\+y\\",C=FR',
  issuer: 'CN=CA',
  serial: '01',
  fingerprint: '00',
  notBefore: 0,
  notAfter: 0,
  names: [],
  der: Buffer.alloc(0),
};

t.test('version 2 of a PROXY header has name, protocol, version, cipher and certificate of TLS', (t) => {
  const https = { scheme: 'https', port: 443, alpn: 'http/1.1', sni: 'www.example.com' } as const;
  const tls = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    resumed: false,
    policy: '',
    policyOf: null,
    clientCertificate: null,
  };
  const told = (transport: TransportInfo): ProxyHeader =>
    read(encode('v2', NO_ENDS, transport)) as ProxyHeader;
  t.match(told(PLAIN_TRANSPORT), { alpn: null, authority: null, tls: null });
  t.match(told({ ...https, tls }), {
    alpn: 'http/1.1',
    authority: 'www.example.com',
    tls: {
      isEncrypted: true,
      hasCertificate: false,
      isVerified: false,
      version: 'TLSv1.3',
      commonName: null,
      cipher: 'TLS_AES_128_GCM_SHA256',
    },
  });
  const shown = (clientCertificate: ClientCertificate, resumed = false): unknown =>
    told({ ...https, tls: { ...tls, resumed, clientCertificate } }).tls;
  t.match(shown(CERTIFICATE), { hasCertificate: true, isVerified: true, commonName: 'Zoë "x+y"' });
  t.match(shown(CERTIFICATE, true), { hasCertificate: true, isVerified: true });
  t.match(shown({ ...CERTIFICATE, error: 'CERT_HAS_EXPIRED' }), {
    hasCertificate: true,
    isVerified: false,
  });
  t.match(shown({ ...CERTIFICATE, subject: 'O=XCN\\,CN\\=no' }), {
    hasCertificate: true,
    commonName: null,
  });
  // According to a proxy in front.
  t.match(told({ ...https, tls: null }), {
    authority: 'www.example.com',
    tls: { isEncrypted: true, hasCertificate: false, version: null },
  });
  t.end();
});

t.test('a client that has reset its connection is announced by the address that was admitted', (t) => {
  const header = (address: string): string => encodeProxyHeader('v1', new ForwardedClient(address, false));
  t.equal(header('192.0.2.1'), 'PROXY TCP4 192.0.2.1 0.0.0.0 0 0\r\n');
  t.equal(header('2001:db8::1'), 'PROXY TCP6 2001:db8::1 ::ffff:0.0.0.0 0 0\r\n');
  t.equal(header('unix'), 'PROXY UNKNOWN\r\n');
  // A socket of Node still knows the peer when it has forgotten its own end.
  const half = { ends: connectionEnds({ address: '192.0.2.1', port: 5000 }, {}) };
  const client = new ForwardedClient('192.0.2.1', false, false, false, PLAIN_TRANSPORT, half);
  t.equal(encodeProxyHeader('v1', client), 'PROXY TCP4 192.0.2.1 0.0.0.0 5000 0\r\n');
  t.end();
});
