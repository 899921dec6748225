import t from 'tap';
import type { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field } from '../support/origin.js';

type Match = Record<string, unknown>;
type Settings = Parameters<typeof createConfig>[0];

/** Answers `met` to requests that meet the conditions, with the scheme in a field, and `not met` to all others. */
function settingsFor(match: Match, trusted: readonly string[]): Settings {
  return {
    trusted_proxies: trusted,
    routes: [{ match, respond: { body: 'met', headers: { 'X-Scheme': '{scheme}' } } }],
    respond: { body: 'not met', headers: { 'X-Scheme': '{scheme}' } },
  } as Settings;
}

const NOBODY: readonly string[] = [];
const LOOPBACK = ['127.0.0.0/8'];

const CASES: readonly [
  what: string,
  match: Match,
  trusted: readonly string[],
  fields: string,
  met: boolean,
  scheme: string,
][] = [
  [
    'https from a trusted proxy',
    { scheme: 'https' },
    LOOPBACK,
    'X-Forwarded-Proto: https\r\n',
    true,
    'https',
  ],
  ['https first of two', { scheme: 'https' }, LOOPBACK, 'X-Forwarded-Proto: https, http\r\n', true, 'https'],
  [
    'https in Forwarded',
    { scheme: 'https' },
    LOOPBACK,
    'Forwarded: for=192.0.2.1;proto=https\r\n',
    true,
    'https',
  ],
  [
    'http where X-Forwarded-Proto and Forwarded differ',
    { scheme: 'http' },
    LOOPBACK,
    'X-Forwarded-Proto: http\r\nForwarded: proto=https\r\n',
    true,
    'http',
  ],
  ['https of a stranger', { scheme: 'https' }, NOBODY, 'X-Forwarded-Proto: https\r\n', false, 'http'],
  ['http where nobody says anything', { scheme: 'http' }, LOOPBACK, '', true, 'http'],
  [
    'a header condition on X-Forwarded-Proto of a stranger',
    { header: { 'X-Forwarded-Proto': 'https' } },
    NOBODY,
    'X-Forwarded-Proto: https\r\n',
    false,
    'http',
  ],
  [
    'a header condition on X-Forwarded-Proto of a trusted proxy',
    { header: { 'X-Forwarded-Proto': 'https' } },
    LOOPBACK,
    'X-Forwarded-Proto: https\r\n',
    true,
    'https',
  ],
  [
    'a header condition on X_Forwarded_Proto of a stranger',
    { header: { 'X-Forwarded-Proto': 'https' } },
    NOBODY,
    'X_Forwarded_Proto: https\r\n',
    false,
    'http',
  ],
  [
    'the peer, not the client it speaks for',
    { peer_ip: '127.0.0.1' },
    LOOPBACK,
    'X-Forwarded-For: 192.0.2.1\r\n',
    true,
    'http',
  ],
  [
    'the client, not the peer',
    { client_ip: '127.0.0.1' },
    LOOPBACK,
    'X-Forwarded-For: 192.0.2.1\r\n',
    false,
    'http',
  ],
  ['not, where its conditions do not hold', { not: { header: { 'X-A': '1' } } }, NOBODY, '', true, 'http'],
  [
    'not, where its conditions hold',
    { not: { header: { 'X-A': '1' } } },
    NOBODY,
    'X-A: 1\r\n',
    false,
    'http',
  ],
  [
    'not, where only one of two conditions holds',
    { not: { header: { 'X-A': '1' }, method: 'POST' } },
    NOBODY,
    'X-A: 1\r\n',
    true,
    'http',
  ],
  [
    'any, where the second holds',
    { any: [{ method: 'POST' }, { cookie: { beta: '1' } }] },
    NOBODY,
    'Cookie: beta=1\r\n',
    true,
    'http',
  ],
  [
    'any, where none holds',
    { any: [{ method: 'POST' }, { cookie: { beta: '1' } }] },
    NOBODY,
    '',
    false,
    'http',
  ],
  [
    'any beside another condition that does not hold',
    { path: '/b', any: [{ method: 'GET' }] },
    NOBODY,
    '',
    false,
    'http',
  ],
  [
    'not any',
    { not: { any: [{ method: 'POST' }, { header: { 'X-A': '*' } }] } },
    NOBODY,
    'X-A: 1\r\n',
    false,
    'http',
  ],
];

for (const [what, match, trusted, fields, met, scheme] of CASES) {
  t.test(`a route is ${met ? 'met' : 'not met'} by ${what}`, async (t) => {
    const { connect } = await startBalancer(t, settingsFor(match, trusted));
    const client = await connect();
    client.send(`GET /a HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
    const { head, body } = await client.response();
    t.equal(String(body), met ? 'met' : 'not met');
    t.equal(field(head, 'x-scheme'), scheme);
  });
}

nothingIsLeft(t);
