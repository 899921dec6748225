import { randomBytes, randomInt } from 'node:crypto';
import t, { type Test } from 'tap';
import { DnsServer } from '../../fixtures/dns-server.js';
import { systemClock, TimerWheel } from '../../lib/base/timer-wheel.js';
import { decodeSrvReply, encodeSrvQuestion, type SrvReply } from '../../lib/net/dns-message.js';
import { SrvQuery } from '../../lib/net/srv-query.js';
import { FUZZ_RUNS } from '../support/fuzz.js';

const NAME = '_http._tcp.api.test';

async function scene(t: Test, { tcp = false } = {}) {
  const dns = await DnsServer.start({ tcp });
  const wheel = new TimerWheel(systemClock);
  t.teardown(async () => {
    wheel.close();
    await dns.close().catch(() => {});
  });
  const ask = (servers = [dns.address], name = NAME): Promise<SrvReply> =>
    new Promise((resolve, reject) => {
      new SrvQuery(name, servers, wheel, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  return { dns, wheel, ask };
}

t.test('records come with their TTL, through aliases too', async (t) => {
  const { dns, ask } = await scene(t);
  dns.setSrv(
    NAME,
    7,
    { priority: 1, weight: 2, port: 8080, target: 'A.test' },
    { port: 81, target: 'b.test' },
  );
  const expected = [
    { priority: 1, weight: 2, port: 8080, target: 'a.test' },
    { priority: 0, weight: 0, port: 81, target: 'b.test' },
  ];
  t.match(await ask(), { code: 0, ttl: 7, records: expected });
  dns.setAlias('_http._tcp.www.test', 3, NAME);
  t.match(await ask([dns.address], '_http._tcp.www.test'), { ttl: 3, records: expected });
});

t.test('a name without records, and one that does not exist, are answers', async (t) => {
  const { dns, ask } = await scene(t);
  t.match(await ask(), { code: 3, records: [] });
  dns.set(NAME, 5, '127.0.0.1');
  t.match(await ask(), { code: 0, records: [] });
});

t.test('a long answer is asked for over TCP', async (t) => {
  const { dns, ask } = await scene(t, { tcp: true });
  const records = Array.from({ length: 300 }, (_, i) => ({ port: 1 + i, target: `host-${i}.test` }));
  dns.setSrv(NAME, 9, ...records);
  const reply = await ask();
  t.equal(reply.records.length, 300);
  t.equal(reply.ttl, 9);
  t.equal(dns.streamed, 1);
});

t.test('a name server that fails, refuses, is silent or gone is followed by the next', async (t) => {
  const { dns, ask } = await scene(t);
  dns.setSrv(NAME, 7, { port: 80, target: 'a.test' });
  const failing = await DnsServer.start();
  failing.mood = 'failing';
  const silent = await DnsServer.start();
  silent.mood = 'silent';
  const gone = await DnsServer.start();
  const { address } = gone;
  await gone.close();
  t.teardown(() => Promise.all([failing.close(), silent.close()]));
  const reply = await ask([failing.address, address, silent.address, dns.address]);
  t.equal(reply.records.length, 1);
  await t.rejects(ask([failing.address]), { code: 'ESERVFAIL' });
  await t.rejects(ask([address]), { code: 'ECONNREFUSED' });
  await t.rejects(ask([silent.address]), { code: 'ETIMEOUT' });
});

t.test('an answer to another question is not taken', async (t) => {
  const { dns, ask } = await scene(t);
  dns.setSrv(NAME, 7, { port: 80, target: 'a.test' });
  let asked = 0;
  dns.distort = (answer) => {
    if (asked++ > 0) return answer;
    const other = Buffer.from(answer);
    other.writeUInt16BE((other.readUInt16BE(0) + 1) & 0xffff, 0);
    return other;
  };
  t.equal((await ask()).records.length, 1);
  t.equal(asked, 2);
});

t.test('whatever bytes come, reading them ends', async (t) => {
  const question = encodeSrvQuestion(7, NAME);
  const header = Buffer.from(question);
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(3, 6);
  const loop = Buffer.concat([header, Buffer.from([0xc0, header.length])]);
  t.equal(decodeSrvReply(loop, question), null, 'a pointer to itself');
  t.equal(decodeSrvReply(header.subarray(0, 5), question), null);
  t.equal(decodeSrvReply(question, question), null, 'a question is no answer');
  for (let run = 0; run < FUZZ_RUNS; run++) {
    const broken = Buffer.concat([header, randomBytes(64)]);
    for (let i = 0; i < 4; i++) broken[randomInt(2, broken.length)] = randomInt(256);
    const reply = decodeSrvReply(broken.subarray(0, randomInt(2, broken.length + 1)), question);
    if (reply !== null && reply.records.length > 3) t.fail(broken.toString('hex'));
  }
});
