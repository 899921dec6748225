import t from 'tap';
import { WebSocket } from 'ws';
import { RawClient } from '../support/client.js';
import { until } from '../support/loop-ticks.js';
import { askPromtool, withPrometheus } from './prometheus-parser.js';
import { promlint } from './promlint.js';
import { startTroubledSite, type TroubledSite } from './troubled-site.js';

type Act = (site: TroubledSite) => Promise<unknown>;

const times =
  (count: number, act: Act): Act =>
  async (site) => {
    for (let done = 0; done < count; done++) await act(site);
  };

/** What can happen, and a sample that tells of it; `+` is any number above 0. */
const KINDS: readonly (readonly [what: string, act: Act, ...samples: string[]])[] = [
  ['nothing', async () => {}, 'lb_ready 1', 'lb_reloads_total{result="success"} 0'],
  ['an answer', ({ get }) => get('a'), 'lb_requests_total{route="default",code="200"} +'],
  [
    'a redirection and an answer of its own',
    async ({ get }) => [await get('a', '/old'), await get('a', '/fixed')],
    'lb_requests_total{route="/old",code="308"} 1',
    'lb_requests_total{route="/fixed",code="503"} 1',
  ],
  [
    'what servers say besides 200',
    async ({ get }) => {
      for (const status of [204, 304, 404, 418, 500, 599]) await get('a', `/?status=${status}`);
    },
    'lb_requests_total{route="default",code="4xx"} 1',
    'lb_server_responses_total{server="good",code="5xx"} 2',
  ],
  ['a retry', ({ get }) => get('retried'), 'lb_server_retries_total{server="good"} 1'],
  [
    'a server that is not there',
    ({ get }) => get('broken'),
    'lb_request_failures_total{reason="connect_refused",fault="server"} 1',
    'lb_server_failures_total{server="gone"} 1',
  ],
  [
    'a reset before the answer',
    ({ get }) => get('narrow', '/?reset=before'),
    'lb_request_failures_total{reason="reset_before_response",fault="server"} 1',
  ],
  [
    'a reset in the answer',
    ({ get }) => get('a', '/?reset=in&size=1000').catch(() => {}),
    'lb_request_failures_total{reason="reset_in_response",fault="server"} 1',
  ],
  [
    'a client that goes away',
    async ({ port, good }) => {
      const before = good.requests;
      const client = await RawClient.connect(port);
      client.send('GET /?hang=1 HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => good.requests > before);
      client.reset();
    },
    'lb_request_failures_total{reason="client_abort",fault="client"} 1',
    'lb_requests_total{route="default",code="0"} 1',
  ],
  [
    'what is no HTTP',
    async ({ port }) => {
      const client = await RawClient.connect(port);
      client.send('GET / HTTP/1.1\r\nHost: a"b\\\r\nBad Field: \x01\r\n\r\n');
      await client.toEnd();
      client.destroy();
    },
    'lb_request_failures_total{reason="bad_request",fault="client"} 1',
    'lb_requests_total{route="none",code="400"} 1',
  ],
  [
    'a tunnel',
    async ({ port }) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      socket.close();
      await new Promise((resolve) => socket.once('close', resolve));
    },
    'lb_requests_total{route="default",code="101"} 1',
  ],
  [
    'what a firewall refuses, and what it only observes',
    async ({ get }) => [await get('guarded', '/secret'), await get('watched', '/seen')],
    'lb_firewall_verdicts_total{rule="firewall_rules of guarded",guard="path_reject",verdict="refused"} 1',
    'lb_firewall_verdicts_total{rule="firewall_rules of watched",guard="path_reject",verdict="observed"} 1',
  ],
  [
    'too many requests',
    times(2, ({ get }) => get('limited')),
    'lb_requests_total{route="limited",code="429"} 1',
  ],
  [
    'a ban',
    times(3, ({ get }) => get('guarded', '/?status=404')),
    'lb_request_failures_total{reason="banned",fault="client"} 1',
  ],
  [
    'an ejection',
    times(4, ({ get }) => get('ejected', '/?status=503')),
    'lb_server_ejections_total{server="wavering"} 1',
    'lb_server_state{server="wavering",state="ejected"} 1',
    'lb_server_spared_total{server="good"} 1',
    'lb_server_connections_opened_total{server="wavering"} 1',
    'lb_server_unsolicited_responses_total{server="wavering"} 0',
  ],
  [
    'a server that is down',
    async ({ weak, ask }) => {
      weak.healthy = false;
      const isDown = async () => (await ask('/api/servers/weak')).text.includes('"state":"down"');
      await until(isDown, 'the server is down', pause);
    },
    'lb_server_up{server="weak"} 0',
  ],
  [
    'a reload that is refused',
    async ({ reload }) => reload('lisen: 1\n'),
    'lb_reloads_total{result="failure"} 1',
    'lb_config_last_reload_successful 0',
  ],
  [
    'a reload',
    async ({ reload }) => reload(),
    'lb_reloads_total{result="success"} 1',
    'lb_config_last_reload_successful 1',
  ],
  [
    'servers that come, go and are changed',
    async ({ ask }) => {
      await ask('/api/servers', { method: 'POST', body: { address: '127.0.0.1:9', name: 'a"new"\\one' } });
      await ask('/api/servers/good', { method: 'PATCH', body: { weight: 7, state: 'drain' } });
    },
    'lb_server_weight{server="a\\"new\\"\\\\one"} 1',
    'lb_server_state{server="good",state="draining"} 1',
  ],
];

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

await withPrometheus(
  t,
  'after every kind of traffic the metrics tell of it, are well formed and read by others',
  async (t, parse) => {
    const site = await startTroubledSite(t);
    const texts: string[] = [];
    for (const [what, act, ...samples] of KINDS) {
      await act(site);
      const has = (text: string): boolean => samples.every((sample) => isIn(text, sample));
      let text = await scrape(site);
      // What ends with a connection ends a moment after it.
      for (let look = 0; look < 200 && !has(text); look++) {
        await pause();
        text = await scrape(site);
      }
      for (const sample of samples) t.ok(isIn(text, sample), `${what}: ${sample}`);
      t.same(promlint(text), [], what);
      texts.push(text);
    }
    const parsed = parse(texts);
    t.equal(parsed.length, KINDS.length);
    for (const families of parsed) for (const [name, type] of families) t.not(type, 'unknown', name);
    const [first, last] = [parsed[0]!, parsed.at(-1)!];
    t.same(
      last.map(([name]) => name),
      first.map(([name]) => name),
      'what is exposed is the same from the start on',
    );
    // Everything that happened is in the last one; a start of promtool takes longer than all else here.
    for (const text of [texts[0]!, texts.at(-1)!]) {
      const { complaints, skip } = askPromtool(text);
      t.same(complaints, [], 'nor has promtool anything to complain of', skip === '' ? {} : { skip });
    }
  },
);

async function scrape({ ask }: TroubledSite): Promise<string> {
  const { status, headers, text } = await ask('/metrics');
  if (status !== 200 || headers['content-type'] !== 'text/plain; version=0.0.4; charset=utf-8')
    throw new Error(`${status} ${headers['content-type']}\n${text}`);
  return text;
}

function isIn(text: string, sample: string): boolean {
  if (!sample.endsWith(' +')) return text.includes(`\n${sample}\n`);
  return new RegExp(`^${sample.slice(0, -1).replaceAll(/[{}]/g, '\\$&')}[1-9]`, 'm').test(text);
}
