import t from 'tap';
import { answering, startRawServer } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { SCHEME } from '../support/tls-switch.js';

t.test(
  'a request reaches the server with the fields of this hop, and its answer reaches the client',
  async (t) => {
    let head = '';
    const server = await startRawServer(async (connection) => {
      head = await connection.readHead();
      await connection.write(OK);
    });
    t.teardown(() => server.close());
    const { port, connect, seen } = await startBalancer(t, { servers: [server.address] });
    const client = await connect();
    client.send(
      'GET /a?b=%2F HTTP/1.1\r\nHost: example.test\r\nX-Odd:  caf\xe9 \r\nConnection: keep-alive\r\nx-odd: 2\r\n\r\n',
    );
    const { status, body, head: answer } = await client.response();
    t.equal(status, 200);
    t.equal(body, 'ok');
    t.match(answer, /\r\nDate: [^\r]+ GMT\r\n\r\n$/);
    const { requestId } = await seen.request();
    t.equal(
      head,
      'GET /a?b=%2F HTTP/1.1\r\nHost: example.test\r\nX-Odd:  caf\xe9 \r\nx-odd: 2\r\n' +
        `X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: ${SCHEME}\r\nX-Forwarded-Port: ${port}\r\n` +
        `X-Forwarded-Host: example.test\r\n` +
        `X-Request-Id: ${requestId}\r\nCDN-Loop: lb\r\n\r\n`,
    );
  },
);

t.test('the trace context is passed on unchanged, and its id is reported', async (t) => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const span = '00f067aa0ba902b7';
  const heads: string[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const { connect, seen } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  const told: string[] = [];
  for (const parent of [
    `00-${trace}-${span}-01`,
    `cc-${trace}-${span}-01-what-will-be`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `ff-${trace}-${span}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    '',
  ]) {
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nTraceparent: ${parent}\r\ntracestate: a=1,b=2\r\n\r\n`);
    t.equal((await client.response()).status, 200);
    t.match(heads.at(-1), `\r\nTraceparent: ${parent}\r\ntracestate: a=1,b=2\r\n`);
    told.push((await seen.request(heads.length)).traceId);
  }
  t.same(told, [trace, trace, '', '', '', '', '']);
});

t.test('pipelined requests are answered in order over one pooled connection', async (t) => {
  const server = await startRawServer(answering(OK));
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5));
  for (let i = 0; i < 5; i++) t.equal((await client.response()).status, 200);
  t.equal(server.accepted, 1);
});

t.test('OPTIONS with Max-Forwards 0 is answered here, with more it is sent with one hop less', async (t) => {
  const heads: string[] = [];
  const server = await startRawServer(async (connection) => {
    for (;;) {
      heads.push(await connection.readHead());
      await connection.write(OK);
    }
  });
  t.teardown(() => server.close());
  const { connect } = await startBalancer(t, { servers: [server.address] });
  const client = await connect();
  for (const hops of ['Max-Forwards: 0', 'Max-Forwards: 00', 'Max-Forwards: 3\r\nmax-forwards: 0']) {
    client.send(`OPTIONS / HTTP/1.1\r\nHost: a\r\n${hops}\r\n\r\n`);
    const { status, head, body } = await client.response();
    t.same([status, body], [200, ''], hops);
    t.match(head, /\r\nAllow: GET, /);
  }
  t.same(heads, []);
  client.send('OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n');
  t.equal((await client.response()).body, 'ok');
  client.send('GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n');
  t.equal((await client.response()).body, 'ok', 'Max-Forwards counts only for OPTIONS and TRACE');
  t.match(heads, [/\r\nMax-Forwards: 0\r\n/, /\r\nMax-Forwards: 0\r\n/]);
});
