import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { startBalancer } from '../support/balancer.js';
import { field, origin, readRequest } from '../support/origin.js';

/** Grows states without end on the text below. */
const SLOW = '(?:[ab]*a[ab]{60}|[ab]*b[ab]{50})+[!?]';
let seed = 1;
const TEXT = Array.from({ length: 7000 }, () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return 'ab'[(seed >>> 16) & 1];
}).join('');

async function start(t: Parameters<typeof startBalancer>[0], settings: Parameters<typeof startBalancer>[1]) {
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head } = await readRequest(connection);
      const text = field(head, 'x-text') ?? '';
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Back: ${text}\r\n\r\n`);
    }
  });
  const { connect, seen } = await startBalancer(t, { ...settings, servers: [server.address] });
  const client = await connect();
  const ask = async (text: string): Promise<{ status: number; head: string; ms: number }> => {
    const started = processorTime();
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Text: ${text}\r\n\r\n`);
    const { status, head } = await client.response();
    return { status, head, ms: processorTime() - started };
  };
  return { ask, seen };
}

t.test('a guard refuses what it cannot match within the budget, with the reason in the log', async (t) => {
  const { ask, seen } = await start(t, { firewall_rules: { header_reject: { 'X-Text': `/${SLOW}/` } } });
  t.equal((await ask('abab')).status, 200);
  t.equal((await ask(TEXT)).status, 403);
  t.match(await seen.request(2), { reason: 'regex_budget', detail: 'firewall_rules: header_reject' });
  t.equal((await ask('baba')).status, 200, 'the next request has a budget of its own');
});

t.test('a guard that only observes lets it pass', async (t) => {
  const { ask } = await start(t, {
    firewall_rules: { mode: 'observe', header_reject: { 'X-Text': `/${SLOW}/` } },
  });
  t.equal((await ask(TEXT)).status, 200);
});

t.test('a request whose route or rules cannot be found within the budget is answered 431', async (t) => {
  const routed = await start(t, {
    routes: [{ match: { header: { 'X-Text': `/${SLOW}/` } }, respond: { status: 204 } }],
  });
  t.equal((await routed.ask('abab')).status, 200);
  t.equal((await routed.ask(TEXT)).status, 431);
  t.match(await routed.seen.request(2), { reason: 'regex_budget', detail: 'routes and rules' });
  const edited = await start(t, { header_rules: { replace: { 'X-Text': { [`/${SLOW}/`]: 'x' } } } });
  t.equal((await edited.ask('abab')).status, 200);
  t.equal((await edited.ask(TEXT)).status, 431);
});

t.test('a field of an answer that cannot be edited within the budget is empty', async (t) => {
  const { ask } = await start(t, {
    response_header_rules: { replace: { 'X-Back': { [`/${SLOW}/`]: 'x' } } },
  });
  t.equal(field((await ask('abab')).head, 'x-back'), 'abab');
  const { status, head } = await ask(TEXT);
  t.equal(status, 200);
  t.equal(field(head, 'x-back') ?? '', '');
});

t.test('text that a rule writes counts for the regex budget too', async (t) => {
  const { ask } = await start(t, { header_rules: { replace: { 'X-Text': { '/./': '{header.X-Text}' } } } });
  t.equal((await ask('abab')).status, 200);
  t.equal((await ask(TEXT)).status, 431);
});
