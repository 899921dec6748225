import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseArguments } from '../../lib/cli/args.js';
import { TestAuthority } from '../support/certificates.js';
import { printedBy } from './support.js';

const SERVERS = `listen: 8080
servers:
  - { address: "https://10.0.0.5:8443", tls: { ca: ca.pem } }
  - { address: "https://10.0.0.6:8443", name: kiwi, tls: { server_name: api.internal } }
  - { address: "https://10.0.0.7:8443", tls: { verify: false } }
  - 10.0.0.8:8080
`;

function folder(t: Test, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'lb-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

t.test('lb check warns of a server that is not verified, and refuses a bad file with its line', async (t) => {
  const { cert } = await TestAuthority.create();
  const good = folder(t, { 'lb.yaml': SERVERS, 'ca.pem': cert });
  const fine = printedBy(['check', '-c', 'lb.yaml'], good);
  t.equal(fine.code, 0);
  t.match(
    fine.stdout,
    /lb\.yaml:5:\d+ {2}servers\[2\]\.tls\.verify: the certificate of 10\.0\.0\.7:8443 is not verified/,
  );
  const bad = folder(t, { 'lb.yaml': SERVERS, 'ca.pem': 'no certificate' });
  const refused = printedBy(['check', '-c', 'lb.yaml'], bad);
  t.not(refused.code, 0);
  t.match(refused.stdout, /lb\.yaml:3:\d+ {2}servers\[0\]\.tls\.ca: ca\.pem holds no certificate in PEM/);
});

t.test('lb explain shows which servers are behind TLS, and how', async (t) => {
  const { cert } = await TestAuthority.create();
  const path = folder(t, { 'lb.yaml': SERVERS, 'ca.pem': cert });
  const { stdout } = printedBy(['explain', '-c', 'lb.yaml', 'GET', 'http://x/'], path);
  for (const line of [
    /10\.0\.0\.5:8443 +TLS\n/,
    /kiwi +10\.0\.0\.6:8443 +TLS as api\.internal\n/,
    /10\.0\.0\.7:8443 +TLS, certificate not verified\n/,
    /10\.0\.0\.8:8080\n/,
  ])
    t.match(stdout, line);
});

t.test('a server with https:// is taken on the command line, and one with a path is not', async (t) => {
  const { command } = parseArguments(['8080', 'https://10.0.0.5:8443', 'http://10.0.0.6']);
  t.match(command, { options: { servers: ['https://10.0.0.5:8443', 'http://10.0.0.6'] } });
  t.throws(() => parseArguments(['8080', 'https://10.0.0.5/v1']), {
    message: /Write https:\/\/10\.0\.0\.5, without a path/,
  });
  const added = JSON.stringify(parseArguments(['add', 'https://10.0.0.5:8443']));
  t.match(added, '"address":"https://10.0.0.5:8443"');
});
