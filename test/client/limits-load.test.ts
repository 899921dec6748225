import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import * as http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import { startFixtureServer } from '../../fixtures/server.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { turns, until } from '../support/loop-ticks.js';
import { fileLimit, openSockets, residentBytes, startProcesses } from '../support/processes.js';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
/** Three of them at once are more than the memory allowed. */
const BODY = 40 * MEBIBYTE;
// On a busy machine, hundreds of megabytes take longer than tap's half minute.
t.setTimeout(120_000);

const onLinux = { skip: process.platform === 'linux' ? false : 'reads /proc' };

t.test('200 clients with slow heads delay no others, and get 408', async (t) => {
  const server = await startFixtureServer({ name: 'one' });
  t.teardown(() => server.close());
  const settings = { servers: [server.address], timeouts: { request_header: '2s' } };
  const { connect, seen, balancer, clock } = await startBalancer(t, settings, { manual: true });
  const slow = await Promise.all(Array.from({ length: 200 }, connect));
  for (const client of slow) client.send('GET / HTTP/1.1\r\n');
  const drip = async (ms: number): Promise<void> => {
    for (const client of slow) client.send('X: y\r\n');
    await turns();
    clock.advance(ms);
  };
  await drip(0);
  const other = await connect();
  // For the slow clients 1.8 s pass; the real time of the answers depends on the machine.
  for (let asked = 1; asked <= 180; asked++) {
    other.send('GET /?size=1000 HTTP/1.1\r\nHost: a\r\n\r\n');
    const { status, body } = await other.response();
    if (status !== 200 || body.length !== 1000) t.fail(`answer ${asked} is incomplete`);
    if (asked % 10 === 0) await drip(100);
  }
  t.notOk(
    slow.some(({ ended }) => ended),
    'all of them are still connected',
  );
  for (let waited = 0; waited < 4; waited++) await drip(100);
  for (const client of slow) {
    const answer = await client.toEnd();
    if (!/^HTTP\/1\.1 408 /.test(answer)) t.fail(`got ${answer.slice(0, 40)}`);
    client.destroy();
  }
  t.equal(seen.requests.filter(({ reason }) => reason === 'request_timeout').length, 200);
  other.destroy();
  await until(
    () => balancer.clientCount === 0,
    undefined,
    () => drip(100),
  );
});

t.test('thousands of idle clients cost little memory each', onLinux, async (t) => {
  const count = Math.min(2000, fileLimit() - 1000);
  t.ok(count > 1000, 'at least this many files may be open');
  const processes = await startProcesses(1);
  t.teardown(() => processes.stop());
  const clients: RawClient[] = [];
  t.teardown(() => {
    for (const client of clients) client.destroy();
  });
  const ask = async (client: RawClient): Promise<void> => {
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    const { status } = await client.response();
    if (status !== 200) throw new Error(`answered ${status}`);
  };
  const grow = async (to: number): Promise<number> => {
    while (clients.length < to) {
      const batch = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(processes.port)));
      clients.push(...batch);
      await Promise.all(batch.map(ask));
    }
    return settledBytes(processes.pid);
  };
  const few = 500;
  const before = await grow(few);
  const after = await grow(count);
  const each = (after - before) / (count - few);
  t.comment(
    `${count} idle clients: ${(each / KIBIBYTE).toFixed(1)} KiB each, ${Math.round(after / MEBIBYTE)} MiB in all`,
  );
  t.ok(each < 16 * KIBIBYTE);
  t.ok(openSockets(processes.pid) >= count, 'all of them are connected');
  for (const client of clients.slice(0, 100)) await ask(client);
  t.ok(clients.every(({ ended }) => !ended));
});

t.test('40 MiB up, down and both ways at once arrive unchanged in bounded memory', onLinux, async (t) => {
  const processes = await startProcesses(2);
  t.teardown(() => processes.stop());
  const { port, pid } = processes;
  const body = pattern(BODY);
  const sum = createHash('sha256').update(body).digest('hex');
  // The peak from here on: that of the start, when the schema is compiled, is unrelated to bodies.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');

  t.equal(await sumOf(await request(port, 'GET', `/?size=${BODY}`)), sum, 'down');
  t.equal(await sumOf(await request(port, 'GET', `/?size=${BODY}&chunked=1`)), sum, 'down in chunks');
  for (const chunked of [false, true]) {
    const answer = await request(port, 'POST', '/echo', body, chunked);
    const { sha256, bodyLength } = JSON.parse(await textOf(answer)) as { sha256: string; bodyLength: number };
    t.equal(bodyLength, BODY);
    t.equal(sha256, sum, chunked ? 'up in chunks' : 'up');
  }
  const reflected = await Promise.all([
    request(port, 'POST', '/reflect', body).then(sumOf),
    request(port, 'POST', '/reflect', body).then((answer) => sumOf(answer, 2)),
    request(port, 'GET', `/?size=${BODY}`).then((answer) => sumOf(answer, 2)),
  ]);
  t.same(reflected, [sum, sum, sum], 'both ways, to fast readers and to slow ones');
  const peak = residentBytes(pid, 'peak');
  t.comment(`peak ${Math.round(peak / MEBIBYTE)} MiB`);
  t.ok(peak < 150_000_000);
});

/** Waits until garbage has been collected, without forcing it. */
async function settledBytes(pid: number): Promise<number> {
  let last = residentBytes(pid);
  for (let calm = 0; calm < 5; calm++) {
    await pause(100);
    const now = residentBytes(pid);
    if (Math.abs(now - last) > MEBIBYTE) calm = 0;
    last = now;
  }
  return last;
}

function request(
  port: number,
  method: string,
  path: string,
  body?: Buffer,
  chunked = false,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined || chunked ? {} : { 'Content-Length': body.length };
    const outgoing = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    if (chunked && body !== undefined) {
      for (let at = 0; at < body.length; at += MEBIBYTE) outgoing.write(body.subarray(at, at + MEBIBYTE));
      outgoing.end();
    } else {
      outgoing.end(body);
    }
  });
}

/** The sha256 of a body; `pauseMs` between its pieces makes the reader slow. */
async function sumOf(answer: http.IncomingMessage, pauseMs = 0): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of answer) {
    hash.update(bytes as Buffer);
    if (pauseMs > 0) await pause(pauseMs);
  }
  return hash.digest('hex');
}

async function textOf(answer: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const bytes of answer) text += bytes;
  return text;
}
