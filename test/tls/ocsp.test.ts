import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import * as x509 from '@peculiar/x509';
import t, { type Test } from 'tap';
import { readCertificate } from '../../lib/tls/certificate.js';
import { Findings } from '../../lib/tls/finding.js';
import { type KeyPair, readKeyPair } from '../../lib/tls/key-pair.js';
import { ocspRequest, readOcspResponse } from '../../lib/tls/ocsp.js';
import { type OcspFetched, OcspStapler } from '../../lib/tls/ocsp-stapler.js';
import { startBalancer } from '../support/balancer.js';
import { type IssuedCertificate, TestAuthority, writeCertificate } from '../support/certificates.js';
import { rest, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

const HOUR_MS = 3_600_000;
const authority = await TestAuthority.create('OCSP Root');
const issuer = readCertificate(authority.cert).x509.raw;

/** A certificate that asks to be stapled with what `url` answers. */
async function stapled(url: string, mustStaple = true): Promise<IssuedCertificate> {
  return authority.issue({
    names: ['a.test'],
    extensions: [
      new x509.AuthorityInfoAccessExtension({ ocsp: url }),
      ...(mustStaple
        ? [new x509.Extension('1.3.6.1.5.5.7.1.24', false, Buffer.from('3003020105', 'hex'))]
        : []),
    ],
  });
}

function pairOf({ cert, key }: IssuedCertificate): KeyPair {
  const text = cert + authority.cert;
  const files = { certFile: 'a.pem', certText: text, keyFile: 'a.pem', keyText: key, passphrase: null };
  return readKeyPair(files, new Findings(0)) as KeyPair;
}

/** The responder of OpenSSL. Returns its URL, and a function that says which certificates it knows. */
async function responder(
  t: Test,
  signer: { cert: string; key: string } = authority,
): Promise<{ url: string; know: (serial: string, revoked?: boolean) => void }> {
  const folder = t.testdir({ 'ca.pem': authority.cert, 'signer.pem': signer.cert, 'signer.key': signer.key });
  const index = join(folder, 'index.txt');
  writeFileSync(index, '');
  const probe = createTcpServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const know = (serial: string, revoked = false): void => {
    const line = revoked
      ? `R\t400101000000Z\t250101000000Z\t${serial.toUpperCase()}\tunknown\t/CN=a\n`
      : `V\t400101000000Z\t\t${serial.toUpperCase()}\tunknown\t/CN=a\n`;
    writeFileSync(index, line);
  };
  let child: ReturnType<typeof spawn> | null = null;
  t.teardown(() => child?.kill('SIGKILL'));
  return {
    url: `http://127.0.0.1:${port}/`,
    know: (serial, revoked) => {
      know(serial, revoked);
      child ??= spawn(
        'openssl',
        [
          ...['ocsp', '-index', index, '-port', String(port), '-CA', join(folder, 'ca.pem'), '-ndays', '1'],
          ...['-rsigner', join(folder, 'signer.pem'), '-rkey', join(folder, 'signer.key')],
        ],
        { stdio: 'ignore' },
      );
    },
  };
}

/** Posts the request until the responder listens. */
async function ask(url: string, cert: IssuedCertificate): Promise<{ leaf: Buffer; response: Buffer }> {
  const leaf = readCertificate(cert.cert).x509.raw;
  const body = ocspRequest(leaf, issuer);
  const headers = { 'Content-Type': 'application/ocsp-request' };
  let response: Buffer | null = null;
  const answers = async (): Promise<boolean> => {
    const answer = await fetch(url, { method: 'POST', body, headers }).catch(() => null);
    if (answer !== null) response = Buffer.from(await answer.arrayBuffer());
    return answer !== null;
  };
  await until(answers, 'the responder of OpenSSL answers', () => rest(50));
  return { leaf, response: response ?? Buffer.alloc(0) };
}

t.test('the answer of the responder of OpenSSL is understood and verified', async (t) => {
  const { url, know } = await responder(t);
  const cert = await stapled(url);
  know(cert.serial);
  const { leaf, response } = await ask(url, cert);
  const now = Date.now();
  const answer = readOcspResponse(response, leaf, issuer, now);
  t.equal(answer.status, 'good');
  t.ok(answer.thisUpdate <= now + 1000);
  t.ok((answer.nextUpdate ?? 0) > now + 23 * HOUR_MS);
  t.throws(() => readOcspResponse(response, leaf, issuer, now + 25 * HOUR_MS), { message: /too old/ });
  t.throws(() => readOcspResponse(response, leaf, issuer, now - HOUR_MS), { message: /not valid yet/ });
  const other = readCertificate((await stapled(url)).cert).x509.raw;
  t.throws(() => readOcspResponse(response, other, issuer, now), { message: /another certificate/ });
  const stranger = await TestAuthority.create('Stranger');
  t.throws(() => readOcspResponse(response, leaf, readCertificate(stranger.cert).x509.raw, now), {
    message: /neither the issuer/,
  });
  for (let at = 0; at < response.length; at += 7) {
    const damaged = Buffer.from(response);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 0x55, at);
    // The certificate that the responder adds for convenience is not signed with the rest.
    try {
      t.equal(readOcspResponse(damaged, leaf, issuer, now).status, 'good');
    } catch (error) {
      t.ok(error instanceof Error);
    }
  }
  t.throws(() => readOcspResponse(Buffer.from('nonsense'), leaf, issuer, now), {
    message: /no OCSP response/,
  });
  t.throws(() => readOcspResponse(Buffer.from('30030a0106', 'hex'), leaf, issuer, now), {
    message: /unauthorized/,
  });
});

t.test(
  'a response may be signed by the issuer or by a signer that it has delegated, and by nobody else',
  async (t) => {
    const usage = new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.9']);
    const delegate = await authority.issue({ names: [], commonName: 'Responder', extensions: [usage] });
    const plain = await authority.issue({ names: [], commonName: 'Not a responder' });
    for (const [signer, isGood] of [
      [delegate, true],
      [plain, false],
    ] as const) {
      const { url, know } = await responder(t, signer);
      const cert = await stapled(url);
      know(cert.serial, true);
      const { leaf, response } = await ask(url, cert);
      const read = (): string => readOcspResponse(response, leaf, issuer, Date.now()).status;
      if (isGood) t.equal(read(), 'revoked');
      else t.throws(read, { message: /neither the issuer/ });
    }
  },
);

t.test('a listener staples the response where the certificate asks for it', async (t) => {
  const { url, know } = await responder(t);
  const cert = await stapled(url);
  know(cert.serial);
  await ask(url, cert);
  const paths = writeCertificate(t.testdir(), 'a', { ...cert, cert: cert.cert + authority.cert });
  const { port } = await startBalancer(t, {
    listen: [{ address: '127.0.0.1:0', tls: true }],
    tls: { certificates: [paths] },
    respond: { body: 'here' },
  });
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      requestOCSP: true,
      ca: authority.cert,
      servername: 'a.test',
      minVersion: version,
      maxVersion: version,
    } as tls.ConnectionOptions);
    const [response] = (await once(socket, 'OCSPResponse')) as [Buffer | null];
    t.ok(response !== null && response.length > 100, version);
    t.equal(
      readOcspResponse(response as Buffer, readCertificate(cert.cert).x509.raw, issuer, Date.now()).status,
      'good',
    );
    socket.destroy();
  }
});

/** A stapler whose responses are told by the test. */
function stapler(t: Test): {
  clock: ManualClock;
  stapler: OcspStapler;
  warnings: string[];
  answer: { next: OcspFetched; asked: number };
} {
  const clock = new ManualClock(Date.now());
  const warnings: string[] = [];
  const answer = { next: { kind: 'failed', reason: 'refused' } as OcspFetched, asked: 0 };
  const made = new OcspStapler({
    clock,
    warning: (line) => warnings.push(line),
    fetch: async () => {
      answer.asked++;
      return answer.next;
    },
  });
  t.teardown(() => made.stop());
  return { clock, stapler: made, warnings, answer };
}

t.test('a response is refreshed at half of its time, and dropped when it is too old', async (t) => {
  const { clock, stapler: kept, warnings, answer } = stapler(t);
  const fetched = (): OcspFetched => {
    const thisUpdate = clock.wall();
    const response = Buffer.from(String(thisUpdate));
    return { kind: 'fetched', response, status: 'good', thisUpdate, nextUpdate: thisUpdate + HOUR_MS };
  };
  answer.next = fetched();
  const staple = kept.stapleFor(pairOf(await stapled('http://ocsp.test/')));
  await kept.settled();
  const first = staple?.response?.toString();
  t.ok(first);
  clock.advance(HOUR_MS / 2 - 120_000);
  t.equal(answer.asked, 1);
  answer.next = { kind: 'failed', reason: 'status 500' };
  clock.advance(180_000);
  await kept.settled();
  t.equal(answer.asked, 2);
  t.equal(staple?.response?.toString(), first, 'a failure keeps the response');
  t.match(warnings, [/no OCSP response for a\.test from http:\/\/ocsp\.test\/: status 500/]);
  for (let minutes = 0; minutes < 40; minutes++) {
    clock.advance(60_000);
    await kept.settled();
  }
  t.equal(staple?.response, null, 'until it is too old');
  t.equal(warnings.length, 1, 'told once');
  t.ok(answer.asked < 10, `asked ${answer.asked} times`);
  answer.next = fetched();
  clock.advance(2 * HOUR_MS);
  await kept.settled();
  t.ok(staple?.response);
});

t.test('a revoked certificate is reported, and an unknown one gets no staple', async (t) => {
  const { stapler: kept, warnings, answer } = stapler(t);
  const response = Buffer.from('x');
  const now = Date.now();
  answer.next = { kind: 'fetched', response, status: 'revoked', thisUpdate: now, nextUpdate: now + HOUR_MS };
  const revoked = kept.stapleFor(pairOf(await stapled('http://ocsp.test/')));
  await kept.settled();
  t.ok(revoked?.response);
  answer.next = { ...answer.next, status: 'unknown' };
  const unknown = kept.stapleFor(pairOf(await stapled('http://ocsp.test/')));
  await kept.settled();
  t.equal(unknown?.response, null);
  t.match(warnings, [/a\.test is revoked/, /a\.test is unknown/]);
});

t.test('nothing is asked for certificates that do not ask to be stapled', async (t) => {
  const { stapler: kept, answer } = stapler(t);
  t.equal(kept.stapleFor(pairOf(await stapled('http://ocsp.test/', false))), null);
  t.equal(answer.asked, 0);
});

t.test('a responder that answers nonsense, too much or never is a failure', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/huge') response.end(Buffer.alloc(200_000));
    else if (request.url === '/500') response.writeHead(500).end();
    else response.end('nonsense');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const [path, reason] of [
    ['/huge', /too long/],
    ['/500', /status 500/],
    ['/', /no OCSP response/],
  ] as const) {
    const warnings: string[] = [];
    const kept = new OcspStapler({ clock: new ManualClock(), warning: (line) => warnings.push(line) });
    const staple = kept.stapleFor(pairOf(await stapled(`http://127.0.0.1:${port}${path}`)));
    await kept.settled();
    kept.stop();
    t.equal(staple?.response, null);
    t.match(warnings, [reason]);
  }
});
