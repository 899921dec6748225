import { join } from 'node:path';
import * as tls from 'node:tls';
import t from 'tap';
import type { BalancerEvent } from '../../lib/base/observer.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { THREADS } from '../support/thread-switch.js';
import { Pebble, scratch, skipWithoutPebble } from '../tls/pebble.js';

t.setTimeout(120_000);

const needs = { skip: THREADS.skip || skipWithoutPebble };
/** Each is proven by a connection of its own, which some thread accepts. */
const HOSTS = Array.from({ length: 8 }, (_, at) => `h${at}.example.com`);

/** Who issued what is shown for a name. */
function issuerOf(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.issuer ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

for (const challenge of ['http-01', 'tls-alpn-01'] as const)
  t.test(`${challenge} is answered whichever thread the authority meets`, needs, async (t) => {
    const [plain, encrypted] = [await freePort(), await freePort()];
    const pebble = await Pebble.start(t, { httpPort: plain, tlsPort: encrypted });
    const { seen, balancer } = await startBalancer(
      t,
      {
        listen: [
          { address: `127.0.0.1:${plain}`, redirect: 'https' },
          { address: `127.0.0.1:${encrypted}`, tls: true },
        ],
        tls: {
          acme: {
            hosts: HOSTS,
            store: join(scratch(t), 'store'),
            directory: pebble.directory,
            ca: pebble.ca,
            challenge,
          },
        },
        respond: { body: 'here' },
      },
      { workers: 3 },
    );
    const events: BalancerEvent[] = [];
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (balancer.status().acme.every(({ state }) => state === 'valid')) resolve();
        else if (events.some(({ what }) => what === 'certificate_failed')) resolve();
        else setTimeout(look, 20);
      };
      seen.listen((event) => events.push(event));
      look();
    });
    t.same(
      balancer.status().acme.map(({ state, failures, error }) => ({ state, failures, error })),
      HOSTS.map(() => ({ state: 'valid', failures: 0, error: null })),
    );
    for (const host of HOSTS) {
      const issuers = await Promise.all(Array.from({ length: 12 }, () => issuerOf(encrypted, host)));
      t.match(new Set(issuers), new Set([/Pebble/]), host);
    }
    const client = await RawClient.connect(plain);
    client.send('GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: h0.example.com\r\n\r\n');
    t.match((await client.response()).head, /^HTTP\/1\.1 301 /, 'no challenge is open any more');
    client.destroy();
  });
