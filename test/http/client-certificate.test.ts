import t from 'tap';
import {
  type ClientCertificate,
  PLAIN_TRANSPORT,
  type TransportInfo,
} from '../../lib/base/transport-info.js';
import { tellsCertificate } from '../../lib/http/client-certificate.js';
import { FIELD, fieldId } from '../../lib/http/fields.js';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { encodeRequestHead } from '../../lib/http/head-encoder.js';
import { RequestParser } from '../../lib/http/request-parser.js';
import { RequestView } from '../../lib/http/request-view.js';

const ALICE: ClientCertificate = {
  error: '',
  subject: 'CN=Alice Æ,O=50% "off"\r\nX-Admin: yes',
  issuer: 'CN=Test CA',
  serial: '0A1B',
  fingerprint: 'ab'.repeat(32),
  notBefore: Date.UTC(2026, 0, 1),
  notAfter: Date.UTC(2027, 0, 1),
  names: ['DNS:alice.example', 'URI:spiffe://example/a,b'],
  der: Buffer.alloc(0),
};

function transportWith(clientCertificate: ClientCertificate | null): TransportInfo {
  const tls = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    resumed: false,
    policy: 'a',
    policyOf: null,
    clientCertificate,
  };
  return { ...PLAIN_TRANSPORT, scheme: 'https', port: 8443, sni: 'a.example', tls };
}

function headOf(fields: readonly string[]) {
  const parser = new RequestParser({ headBytes: 8192, fields: 50, targetBytes: 100 });
  const bytes = Buffer.from(
    `GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`,
  );
  parser.readHead(bytes, 0, bytes.length);
  return parser.head;
}

/** The lines about certificates and ports that a server gets for a request with these fields. */
function sent(fields: readonly string[], client: ForwardedClient): string[] {
  const lines = encodeRequestHead(headOf(fields), client, 'id', '').split('\r\n');
  return lines.filter((line) => /^(x-client-cert|client-cert|x-forwarded-port)/i.test(line));
}

t.test('a server gets fields about a valid certificate, and no text in it can end a field', async (t) => {
  const client = new ForwardedClient('192.0.2.1', false, false, false, transportWith(ALICE));
  t.same(sent([], client), [
    'X-Forwarded-Port: 8443',
    'X-Client-Cert-Verify: SUCCESS',
    'X-Client-Cert-Subject: CN=Alice %C3%86,O=50%25 "off"%0D%0AX-Admin: yes',
    'X-Client-Cert-Issuer: CN=Test CA',
    'X-Client-Cert-Serial: 0A1B',
    `X-Client-Cert-Fingerprint: ${'ab'.repeat(32)}`,
    'X-Client-Cert-Not-Before: 2026-01-01T00:00:00.000Z',
    'X-Client-Cert-Not-After: 2027-01-01T00:00:00.000Z',
    'X-Client-Cert-Names: DNS:alice.example,URI:spiffe://example/a%2Cb',
  ]);
});

t.test('for an invalid certificate a server gets the reason, and no name from it', async (t) => {
  const transport = transportWith({ ...ALICE, error: 'CERT_HAS_EXPIRED' });
  t.same(sent([], new ForwardedClient('192.0.2.1', false, false, false, transport)), [
    'X-Forwarded-Port: 8443',
    'X-Client-Cert-Verify: FAILED:CERT_HAS_EXPIRED',
    `X-Client-Cert-Fingerprint: ${'ab'.repeat(32)}`,
  ]);
});

t.test(
  'certificate fields from an untrusted peer are removed in every spelling, with and without TLS',
  async (t) => {
    const claims = [
      ...['X-Client-Cert-Subject: CN=root', 'x-client-cert: MII', 'X_Client_Cert_Verify: SUCCESS'],
      ...[
        'X-Client.Cert-Anything: 1',
        'Client-Cert: :MII=:',
        'CLIENT-CERT-CHAIN: :MII=:',
        'Client_Cert: :MII=:',
      ],
    ];
    for (const transport of [PLAIN_TRANSPORT, transportWith(null)]) {
      const client = new ForwardedClient('192.0.2.1', false, false, false, transport);
      const lines = sent([...claims, 'X-Client-Certainty: 1'], client);
      t.same(
        lines.filter((line) => !line.startsWith('X-Forwarded-Port')),
        ['X-Client-Certainty: 1'],
      );
    }
  },
);

t.test('certificate fields of a trusted proxy are passed on, and its own certificate is not', async (t) => {
  const client = new ForwardedClient('10.0.0.1', true, false, false, transportWith(ALICE));
  const claims = ['X-Client-Cert-Verify: SUCCESS', 'X-Client-Cert-Subject: CN=bob', 'X-Forwarded-Port: 443'];
  t.same(sent(claims, client), claims);
  t.same(sent([], client), ['X-Forwarded-Port: 8443']);
  const view = new RequestView();
  view.load(headOf([]), '192.0.2.1', client);
  t.equal(view.clientCertificate, null);
});

t.test('rules and conditions see the certificate fields that servers get', async (t) => {
  const view = new RequestView();
  const client = new ForwardedClient('192.0.2.1', false, false, false, transportWith(ALICE));
  view.load(headOf(['X-Client-Cert-Serial: FF', 'X-Forwarded-Port: 1']), '192.0.2.1', client);
  t.same(view.header('x-client-cert-serial'), ['0A1B']);
  t.same(view.header('x-forwarded-port'), ['8443']);
  t.same(view.header('x-client-cert'), []);
  t.same(view.received('x-client-cert-serial'), ['FF']);
});

t.test('heads and rules treat the same field names as certificate fields', async (t) => {
  for (const name of [
    'x-client-cert',
    'x-client-cert-a',
    'client-cert',
    'client-cert-chain',
    'x-client-certs',
    'client-certs',
  ])
    t.equal(fieldId(name, 0, name.length) === FIELD.clientCert, tellsCertificate(name), name);
});
