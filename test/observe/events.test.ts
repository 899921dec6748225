import { hostname } from 'node:os';
import t from 'tap';
import { RawClient } from '../support/client.js';
import { startListener, startTroubledSite, type TroubledSite } from './troubled-site.js';

/** What happens, how it is brought about, of which server it is told, and what a person reads. */
const KINDS: readonly (readonly [
  what: string,
  server: string,
  line: RegExp,
  act: (site: TroubledSite) => Promise<unknown>,
])[] = [
  [
    'down',
    'weak',
    /weak is down: status 500/,
    async ({ weak }) => {
      weak.healthy = false;
    },
  ],
  [
    'up',
    'weak',
    /weak is back after /,
    async ({ weak }) => {
      weak.healthy = true;
    },
  ],
  [
    'ejected',
    'wavering',
    /wavering is out for 30 s: 2 errors in a row: status 503/,
    async ({ get }) => {
      for (let count = 0; count < 4; count++) await get('ejected', '/?status=503');
    },
  ],
  [
    'spared',
    'good',
    /good fails, but is kept because too few servers would be left: 2 errors in a row/,
    async () => {},
  ],
  [
    'queue_full',
    'narrow',
    /narrow has too many waiting requests, more get 503/,
    ({ get }) => Promise.all([1, 2, 3].map(() => get('narrow', '/?delay=100'))),
  ],
  [
    'availability',
    'narrow',
    /narrow is draining: no new requests/,
    ({ ask }) => ask('/api/servers/narrow', { method: 'PATCH', body: { state: 'drain' } }),
  ],
  ['drained', 'narrow', /narrow is drained: no request is left on it/, async () => {}],
  [
    'weight',
    'good',
    /good has weight 7, it was 1/,
    ({ ask }) => ask('/api/servers/good', { method: 'PATCH', body: { weight: 7 } }),
  ],
  [
    'added',
    'late',
    /late was added to default/,
    ({ ask }) => ask('/api/servers', { method: 'POST', body: { address: '127.0.0.1:9', name: 'late' } }),
  ],
  ['removed', 'late', /late was removed/, ({ ask }) => ask('/api/servers/late', { method: 'DELETE' })],
  [
    'banned',
    '',
    /127\.0\.0\.1 is banned for 10 min by firewall_rules of guarded/,
    async ({ get }) => {
      for (let count = 0; count < 2; count++) await get('guarded', '/?status=404');
    },
  ],
  ['reload_refused', '', /lb\.yaml was not loaded/, ({ reload }) => reload('lisen: 1\n')],
];

t.test('each kind of event is a line on stderr, an event of the API and one for the webhook', async (t) => {
  const listener = await startListener(t);
  const site = await startTroubledSite(t, `events: { webhook: "${listener.url}" }\n`);
  const { program, adminPort, reload } = site;
  const stream = await RawClient.connect(adminPort);
  t.teardown(() => stream.destroy());
  stream.send('GET /api/events?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await stream.until('event: listening\n');
  for (const [what, server, line, act] of [
    ...KINDS,
    ['reloaded', '', /reloaded lb\.yaml/, () => reload()],
    ['draining', '', /stopping: up to 30 ?s/, async () => program.child.kill('SIGTERM')],
  ] as typeof KINDS) {
    await act(site);
    await program.onStderr(line);
    await stream.until(`event: ${what}\n`);
    const data = JSON.parse((await stream.until('}\n\n')).slice('data: '.length)) as { instance: string };
    const { instance, ...event } = data;
    t.match(event, { what, server }, `${what}: the API`);
    t.equal(instance, hostname(), `${what}: the API says whose event it is`);
    t.same(await listener.until(what, server), event, `${what}: the webhook says the same`);
  }
  t.equal(await program.end(), 0);
  const ids = listener.told.map(({ id }) => id);
  t.same(
    ids,
    [...ids.keys()].map((index) => index + 1),
    'the webhook was told everything, in order, once',
  );
});
