import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import type { HttpSourceConfig } from '../../lib/config/types.js';
import { HttpSource } from '../../lib/discovery/http-source.js';
import { TestAuthority } from '../support/certificates.js';
import { until } from '../support/loop-ticks.js';
import { switching } from '../support/switching.js';

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };
const GROUPS = '[{"targets": ["10.0.0.1:80"], "labels": {"__lb_weight": "3"}}]';

async function listening(t: Test, server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A source, and each of its answers in a line. */
function follow(t: Test, url: string, more: Partial<HttpSourceConfig> = {}) {
  const wheel = new TimerWheel(systemClock);
  const config = { kind: 'http', url, every: 1234, timeout: 2000, ca: null, headers: [], ...more } as const;
  const source = new HttpSource(config, { wheel });
  t.teardown(() => {
    source.stop();
    wheel.close();
  });
  const said: string[] = [];
  const listener = {
    onServers(servers: readonly { address: string; weight: number | null }[], validMs: number): void {
      said.push(`${servers.map(({ address, weight }) => `${address} ${weight}`).join(' ')} for ${validMs}`);
    },
    onFailed: (reason: string) => said.push(reason),
  };
  const ask = async (): Promise<string> => {
    const count = said.length + 1;
    source.ask(listener);
    await until(() => said.length >= count);
    return said[count - 1] as string;
  };
  return { ask, said, source };
}

async function inventory(t: Test, handler: RequestListener, more: Partial<HttpSourceConfig> = {}) {
  const requests: IncomingMessage[] = [];
  const port = await listening(
    t,
    createServer((request, response) => {
      requests.push(request);
      handler(request, response);
    }),
  );
  return { requests, port, ...follow(t, `http://127.0.0.1:${port}/api?env=prod`, more) };
}

t.test(
  'a list is asked for with the fields of the settings, and only once while it is the same',
  async (t) => {
    const headers = [{ name: 'Authorization', value: 'Bearer abc' }];
    const { ask, requests } = await inventory(
      t,
      (request, response) => {
        if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end();
        else response.writeHead(200, { ...JSON_TYPE, ETag: '"v1"' }).end(GROUPS);
      },
      { headers },
    );
    t.equal(await ask(), '10.0.0.1:80 3 for 1234');
    t.equal(await ask(), '10.0.0.1:80 3 for 1234');
    t.match(requests[0], {
      url: '/api?env=prod',
      headers: { accept: 'application/json', authorization: 'Bearer abc' },
    });
    t.notOk(requests[0]?.headers['if-none-match']);
    t.equal(requests[1]?.headers['if-none-match'], '"v1"');
  },
);

const BAD: readonly [what: string, answer: (response: ServerResponse) => void, expected: RegExp][] = [
  ['an error', (response) => response.writeHead(500).end(), /^status 500$/],
  [
    'a redirect',
    (response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end(),
    /^status 302, a redirect, which is not followed$/,
  ],
  ['nothing that was asked for', (response) => response.writeHead(304).end(), /^status 304, a redirect/],
  [
    'another type',
    (response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(GROUPS),
    /^expected Content-Type: application\/json, got text\/html$/,
  ],
  ['no type', (response) => response.writeHead(200).end(GROUPS), /^expected Content-Type: .*, got none$/],
  ['no JSON', (response) => response.writeHead(200, JSON_TYPE).end('[{'), /^line 1, column 3: not JSON/],
  ['a wrong list', (response) => response.writeHead(200, JSON_TYPE).end('{}'), /expected a list of/],
  [
    'less than announced',
    (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'Content-Length': 100 });
      response.write('[');
      setTimeout(() => response.destroy(), 20);
    },
    /aborted|ECONNRESET|not complete/,
  ],
  [
    'more than is read',
    (response) => {
      response.writeHead(200, JSON_TYPE);
      const more = (): void => {
        if (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, ' '))) setImmediate(more);
      };
      response.on('drain', more);
      more();
    },
    /^the answer is larger than 8MB$/i,
  ],
  [
    'a part, and no more',
    (response) => response.writeHead(200, JSON_TYPE).write('['),
    /^no whole answer within 300ms$/,
  ],
  ['no answer at all', () => {}, /^no whole answer within 300ms$/],
];

for (const [what, answer, expected] of BAD)
  t.test(`an inventory that answers with ${what} has failed, and is followed when it answers`, async (t) => {
    let isGood = false;
    const timeout = /whole/.test(expected.source) ? 300 : 5000;
    const { ask } = await inventory(
      t,
      (_request, response) => {
        if (isGood) response.writeHead(200, JSON_TYPE).end(GROUPS);
        else answer(response);
      },
      { timeout },
    );
    t.match(await ask(), expected);
    isGood = true;
    t.equal(await ask(), '10.0.0.1:80 3 for 1234');
  });

t.test('an inventory that switches protocols fails, and is asked again', async (t) => {
  const { url } = await switching(t);
  const { ask } = follow(t, url);
  for (const _ of [1, 2]) t.match(await ask(), 'switches protocols');
});

t.test('an inventory that is gone has failed', async (t) => {
  const { ask } = follow(t, 'http://127.0.0.1:1/');
  t.equal(await ask(), 'ECONNREFUSED');
});

t.test('over TLS the certificate is verified', async (t) => {
  const authority = await TestAuthority.create();
  const ca = authority.cert;
  const { cert, key } = await authority.issue({ names: ['localhost'] });
  const server = createSecureServer({ cert, key }, (_request, response) => {
    response.writeHead(200, JSON_TYPE).end(GROUPS);
  });
  const port = await listening(t, server as unknown as ReturnType<typeof createServer>);
  const url = `https://localhost:${port}/`;
  t.equal(await follow(t, url, { ca }).ask(), '10.0.0.1:80 3 for 1234');
  t.match(await follow(t, url).ask(), /certificate/);
});
