import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemAuthorities } from '../../lib/base/system-authorities.js';
import { TestAuthority } from '../support/certificates.js';

t.test(
  'the authorities are those of SSL_CERT_FILE, else of the system, with NODE_EXTRA_CA_CERTS',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lb-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const [one, two] = [await TestAuthority.create('One'), await TestAuthority.create('Two')];
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const [first, second] = [write('one.pem', one.cert), write('two.pem', two.cert)];
    t.same(systemAuthorities({ SSL_CERT_FILE: first }), [one.cert]);
    t.same(systemAuthorities({ SSL_CERT_FILE: first, NODE_EXTRA_CA_CERTS: second }), [one.cert, two.cert]);
    const usual = systemAuthorities({});
    t.ok((usual[0]?.match(/-----BEGIN CERTIFICATE-----/g) ?? []).length > 50, 'there are many');
    t.same(systemAuthorities({ NODE_EXTRA_CA_CERTS: second }), [...usual, two.cert]);
    const none = 'who names a file wants no others';
    t.same(systemAuthorities({ SSL_CERT_FILE: join(folder, 'nowhere') }), [], none);
    t.same(systemAuthorities({ SSL_CERT_FILE: write('empty', '') }), [], none);
  },
);
