import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type ToldEvent, Webhook } from '../../lib/observe/webhook.js';
import { TestAuthority } from '../support/certificates.js';
import { turns, until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';
import { switching } from '../support/switching.js';

interface Receiver {
  readonly url: string;
  readonly bodies: {
    readonly agent: string;
    readonly dropped: number;
    readonly events: readonly ToldEvent[];
  }[];
  readonly texts: string[];
  readonly headers: IncomingHttpHeaders[];
  /** What it answers; 0: nothing at all. */
  status: number;
  /** Resolves with the next request. */
  next(): Promise<unknown>;
}

/** `behind`: the certificate with its key, for a receiver behind TLS. */
async function receiver(t: Test, behind?: { cert: string; key: string }): Promise<Receiver> {
  const server: Server = behind === undefined ? createServer() : createSecureServer(behind);
  const received: Receiver = {
    url: '',
    bodies: [],
    texts: [],
    headers: [],
    status: 204,
    next: () => once(server, 'received'),
  };
  server.on('request', (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      received.texts.push(text);
      received.bodies.push(JSON.parse(text));
      received.headers.push(request.headers);
      if (received.status !== 0) response.writeHead(received.status, { Location: '/elsewhere' }).end('ok');
      server.emit('received');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = behind === undefined ? 'http' : 'https';
  return Object.assign(received, {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
  });
}

let lastId = 0;
function event(what = 'down'): ToldEvent {
  return { id: ++lastId, at: 1_700_000_000_000, what, server: 'mango-1', reason: 'status 500' };
}

function hook(url: string, changes: { secret?: string; timeout?: number; pem?: string } = {}) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const config = { webhook: url, secret: '', ca: null, pem: null, timeout: 5000, ...changes };
  const warning = (message: string): void => void warnings.push(message);
  return {
    clock,
    warnings,
    webhook: new Webhook({ config, agent: 'lb/1.2.3', instance: 'edge-1', warning, clock }),
  };
}

/** Lets what has been answered be dealt with. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  await turns();
}

t.test('a receiver that switches protocols is a failure, and events are sent again', async (t) => {
  const to = await switching(t);
  const { clock, webhook, warnings } = hook(to.url);
  webhook.tell(event());
  clock.advance(200);
  await until(() => warnings.length === 1);
  t.match(warnings[0], 'switches protocols');
  await until(() => {
    clock.advance(1000);
    return to.requests() > 1;
  });
  await webhook.close();
});

t.test('events close together go in one signed request', async (t) => {
  const to = await receiver(t);
  const { clock, webhook, warnings } = hook(to.url, { secret: 'correct horse' });
  const events = [event(), event('up')];
  for (const one of events) webhook.tell(one);
  t.equal(to.bodies.length, 0);
  clock.advance(200);
  await to.next();
  t.same(to.bodies, [{ agent: 'lb/1.2.3', instance: 'edge-1', dropped: 0, events }]);
  t.match(to.headers[0], {
    'content-type': 'application/json',
    'user-agent': 'lb/1.2.3',
    'x-lb-signature': `sha256=${createHmac('sha256', 'correct horse')
      .update(to.texts[0] ?? '')
      .digest('hex')}`,
  });
  await webhook.close();
  t.equal(to.bodies.length, 1, 'and not once more at the end');
  t.same(warnings, []);
});

t.test('without a secret there is no signature, and a long queue goes in pieces', async (t) => {
  const to = await receiver(t);
  const { clock, webhook } = hook(to.url);
  for (let i = 0; i < 150; i++) webhook.tell(event());
  for (const expected of [100, 50]) {
    clock.advance(200);
    await to.next();
    await settled();
    t.equal(to.bodies.at(-1)?.events.length, expected);
  }
  t.equal(to.headers[0]?.['x-lb-signature'], undefined);
  await webhook.close();
});

t.test('a failed request is repeated at growing intervals, with one warning', async (t) => {
  const to = await receiver(t);
  const { clock, webhook, warnings } = hook(to.url);
  to.status = 503;
  const first = event();
  webhook.tell(first);
  clock.advance(200);
  await to.next();
  await settled();
  for (const wait of [1000, 2000, 4000]) {
    clock.advance(wait - 1);
    await settled();
    const before = to.bodies.length;
    clock.advance(1);
    await to.next();
    await settled();
    t.equal(to.bodies.length, before + 1, `after ${wait} ms`);
  }
  t.same(warnings, ['events webhook: status 503; it is tried again']);
  to.status = 200;
  webhook.tell(event());
  clock.advance(8000);
  await to.next();
  await settled();
  t.same(to.bodies.at(-1)?.events[0], first, 'nothing was lost, and it comes in order');
  t.match(warnings, [/503/, /answers again; 0 events were dropped/]);
  t.equal(webhook.dropped, 0);
  await webhook.close();
});

t.test('an event that the receiver refuses is not sent again', async (t) => {
  const to = await receiver(t);
  for (const status of [400, 401, 410]) {
    const { clock, webhook, warnings } = hook(to.url);
    to.status = status;
    webhook.tell(event());
    clock.advance(200);
    await to.next();
    await settled();
    t.match(warnings, [`events webhook: status ${status}; 1 events are dropped`]);
    t.equal(webhook.dropped, 1);
    await webhook.close();
  }
});

t.test('a redirection is not followed', async (t) => {
  const to = await receiver(t);
  const { clock, webhook, warnings } = hook(to.url);
  to.status = 302;
  webhook.tell(event());
  clock.advance(200);
  await to.next();
  await settled();
  t.equal(to.bodies.length, 1);
  t.match(warnings, [/redirect/]);
  await webhook.close();
});

t.test('a receiver that is not there or never answers holds nothing up', async (t) => {
  const gone = hook('http://127.0.0.1:1/');
  gone.webhook.tell(event());
  gone.clock.advance(200);
  await settled();
  t.match(gone.warnings, [/ECONNREFUSED|bad port/]);
  await gone.webhook.close();
  t.equal(gone.webhook.dropped, 1);

  const to = await receiver(t);
  to.status = 0;
  const silent = hook(to.url, { timeout: 50 });
  silent.webhook.tell(event());
  silent.clock.advance(200);
  await to.next();
  await until(() => silent.warnings.length > 0);
  t.match(silent.warnings, [/no answer within 50 ms/]);
  const started = performance.now();
  await silent.webhook.close();
  t.ok(
    performance.now() - started < 900,
    'who does not answer is not asked again, which would take a second',
  );
});

t.test('of too many events the oldest are dropped, counted and reported', async (t) => {
  const to = await receiver(t);
  const { clock, webhook } = hook(to.url);
  for (let i = 0; i < 1005; i++) webhook.tell(event());
  t.equal(webhook.dropped, 5);
  clock.advance(200);
  await to.next();
  t.equal(to.bodies[0]?.dropped, 5);
  t.equal(to.bodies[0]?.events[0]?.id, lastId - 999);
  await webhook.close();
});

t.test('events that wait when lb stops are still sent', async (t) => {
  const to = await receiver(t);
  const { webhook } = hook(to.url);
  webhook.tell(event('draining'));
  await webhook.close();
  t.equal(to.bodies[0]?.events[0]?.what, 'draining');
  webhook.tell(event());
  await webhook.close();
  t.equal(to.bodies.length, 1);
});

t.test(
  'a webhook behind TLS is verified by the authority that is named, and gets nothing otherwise',
  async (t) => {
    const [authority, stranger] = [await TestAuthority.create(), await TestAuthority.create('Foreign CA')];
    const to = await receiver(t, await authority.issue({ names: ['127.0.0.1'] }));
    const good = hook(to.url, { pem: authority.cert });
    good.webhook.tell(event());
    good.clock.advance(200);
    await to.next();
    await good.webhook.close();
    t.same(good.warnings, []);
    t.equal(to.bodies.length, 1);

    const elsewhere = await receiver(t, await authority.issue({ names: ['elsewhere.example'] }));
    const cases: readonly (readonly [url: string, pem: string | undefined, what: RegExp])[] = [
      [to.url, stranger.cert, /events webhook: unable to verify the first certificate; it is tried again/],
      [to.url, undefined, /unable to verify the first certificate/],
      [elsewhere.url, authority.cert, /IP: 127\.0\.0\.1 is not in the cert's list/],
    ];
    for (const [url, pem, what] of cases) {
      const { webhook, clock, warnings } = hook(url, pem === undefined ? {} : { pem });
      webhook.tell(event());
      clock.advance(200);
      await until(() => warnings.length > 0);
      t.match(warnings, [what]);
      await webhook.close();
      t.equal(webhook.dropped, 1);
    }
    t.equal(to.bodies.length + elsewhere.bodies.length, 1);
  },
);
