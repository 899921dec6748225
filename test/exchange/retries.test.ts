import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { answering, type RawConnection, startRawServer } from '../../fixtures/raw-server.js';
import { type SeenRequest, startBalancer, untilCollected } from '../support/balancer.js';
import { OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { turns, until } from '../support/loop-ticks.js';
import { chunked, deadAddress, origin, readRequest } from '../support/origin.js';
import { startPaths } from '../support/paths.js';

const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';

type Fault = 'reset' | 'end' | 'silence' | '503';

interface Server {
  readonly address: string;
  readonly received: string[];
}

/** An origin that reads whole requests and fails in one way, as often as asked; then it answers. */
async function failing(t: Test, fault: Fault, times = Number.POSITIVE_INFINITY): Promise<Server> {
  const received: string[] = [];
  const server = await origin(t, async (connection) => {
    for (;;) {
      const { head, body } = await readRequest(connection);
      received.push(`${head.split(' ')[0]} ${body}`);
      if (received.length > times) await connection.write(OK);
      else if (fault === '503') await connection.write(BUSY);
      else return fail(connection, fault);
    }
  });
  return { address: server.address, received };
}

async function fail(connection: RawConnection, fault: Fault): Promise<void> {
  if (fault === 'reset') connection.reset();
  else if (fault === 'end') connection.end();
  else await connection.hang();
}

async function working(t: Test): Promise<Server> {
  return failing(t, 'end', 0);
}

function request(method: string, body = '', fields = '', path = '/'): string {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: a\r\n${fields}${length}\r\n${body}`;
}

/** The attempts, without times. */
function triesOf({ tries }: SeenRequest): unknown[] {
  return tries.map(({ server, reason, status, reused }) => [server, reason, status, reused]);
}

t.test('each failure is retried according to the method and the options of the route', async (t) => {
  const all = ['connect', 'stale', 'reset', 'timeout', 503];
  const faults = [
    ['reset', 'reset', { status: 502, reason: 'reset_before_response' }],
    ['end', 'reset', { status: 502, reason: 'reset_before_response' }],
    ['silence', 'timeout', { status: 504, reason: 'response_timeout' }],
    ['503', 503, { status: 503, reason: '' }],
  ] as const;
  const cases = [];
  for (const [fault, cause, failed] of faults) {
    for (const on of [all, all.filter((other) => other !== cause), [cause]])
      cases.push({ fault, cause, failed, on, bad: await failing(t, fault), good: await working(t) });
  }
  const { connect, seen } = await startPaths(
    t,
    cases.map(({ fault, on, bad, good }) => ({
      algorithm: 'first',
      servers: [bad.address, good.address],
      retry: { on },
      // Long enough for the answer of the good server on a busy machine.
      timeouts: { response_header: fault === 'silence' ? '2s' : '30s' },
    })),
  );
  const methods = ['GET', 'PUT', 'POST', 'PATCH', 'BREW'];
  const hellos = (some: readonly string[]): string[] => some.map((method) => `${method} hello`).sort();
  for (const [index, { fault, cause, failed, on, bad, good }] of cases.entries()) {
    // All methods at the same time, as each of them may have to wait for the silent server.
    const statuses = await Promise.all(
      methods.map(async (method) => {
        const client = await connect();
        client.send(request(method, 'hello', '', `/${index}`));
        const { status } = await client.response();
        client.destroy();
        return status;
      }),
    );
    await seen.request((index + 1) * methods.length);
    const isRetried = (method: string): boolean =>
      on.includes(cause) && (method === 'GET' || method === 'PUT');
    const records = seen.requests.slice(index * methods.length);
    for (const [at, method] of methods.entries()) {
      const record = records.find((one) => one.method === method);
      const expected = isRetried(method)
        ? { status: 200, reason: '', attempts: 2 }
        : { ...failed, attempts: 1 };
      const { reason, attempts } = record ?? {};
      t.strictSame({ status: statuses[at], reason, attempts }, expected, `${fault} ${method} ${on}`);
    }
    t.strictSame(bad.received.splice(0).sort(), hellos(methods), `${fault} ${on}`);
    t.strictSame(good.received.splice(0).sort(), hellos(methods.filter(isRetried)), `${fault} ${on}`);
  }
});

t.test('a refused connection is not retried if the route excludes it', async (t) => {
  const good = await working(t);
  const dead = await deadAddress();
  const cases = [
    [{ on: ['stale', 'reset'] }, 502],
    [{ attempts: 0 }, 502],
    [false, 502],
    [{ on: ['connect'], attempts: 1 }, 200],
  ] as const;
  const { connect, seen } = await startPaths(
    t,
    cases.map(([retry]) => ({ servers: [dead, good.address], algorithm: 'first', retry })),
  );
  for (const [index, [retry, status]] of cases.entries()) {
    const client = await connect();
    client.send(request('POST', 'hello', '', `/${index}`));
    t.equal((await client.response()).status, status, JSON.stringify(retry));
    t.equal((await seen.request(index + 1)).attempts, status === 200 ? 2 : 1);
  }
});

t.test('retry: false does not even replace a stale connection', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write(OK);
    await connection.readHead();
    connection.reset();
  });
  const { connect, seen } = await startBalancer(t, { servers: [server.address], retry: false });
  const client = await connect();
  client.send(request('GET'));
  t.equal((await client.response()).status, 200);
  client.send(request('GET'));
  t.equal((await client.response()).status, 502);
  t.strictSame(triesOf(await seen.request(2)), [[server.address, 'reset_before_response', 0, true]]);
});

t.test('a route has retry settings of its own', async (t) => {
  const bad = await failing(t, '503');
  const good = await working(t);
  const { connect } = await startBalancer(t, {
    servers: [bad.address, good.address],
    algorithm: 'first',
    routes: [{ match: { path: '/again' }, retry: { on: [503] } }],
  });
  for (const [path, status] of [
    ['/', 503],
    ['/again', 200],
  ] as const) {
    const client = await connect();
    client.send(request('GET').replace('/', path));
    t.equal((await client.response()).status, status);
  }
});

t.test('with an Idempotency-Key a POST is sent again if the route says so', async (t) => {
  const bad = await failing(t, 'reset');
  const good = await working(t);
  const servers = [bad.address, good.address];
  const { connect } = await startPaths(
    t,
    [false, true].map((option) => ({ servers, algorithm: 'first', retry: { idempotency_key: option } })),
  );
  for (const [option, field, status] of [
    [true, 'Idempotency-Key: "8e03978e"\r\n', 200],
    [true, 'idempotency-key: 1\r\n', 200],
    [true, 'Idempotency-Key: \r\n', 502],
    [true, '', 502],
    [false, 'Idempotency-Key: "8e03978e"\r\n', 502],
  ] as const) {
    const client = await connect();
    client.send(request('POST', 'hello', field, `/${Number(option)}`));
    t.equal((await client.response()).status, status, `${option} ${field}`);
    t.strictSame(good.received.splice(0), status === 200 ? ['POST hello'] : []);
  }
});

t.test('an answer cut within its head is retried for a GET, and a POST is never sent twice', async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const headLength = answer.length - 2;
  let cut = 0;
  let ending: 'reset' | 'end' = 'reset';
  const bad = await origin(t, async (connection) => {
    await readRequest(connection);
    if (cut > 0) await connection.write(answer.slice(0, cut));
    // So that the bytes arrive before the reset.
    if (ending === 'reset') await pause(3);
    await fail(connection, ending);
  });
  const good = await working(t);
  const { connect, seen, balancer } = await startBalancer(t, {
    servers: [bad.address, good.address],
    algorithm: 'first',
    retry: { budget: false },
  });
  for (ending of ['reset', 'end'] as const) {
    for (cut = 0; cut < answer.length; cut++) {
      const [get, post] = [await connect(), await connect()];
      get.send(request('GET'));
      post.send(request('POST', 'once'));
      if (cut < headLength) {
        t.equal((await get.response()).body, 'ok', `${ending} at ${cut}`);
        t.equal((await post.response()).status, 502);
      } else {
        await get.gone();
        await post.gone();
        t.notMatch(get.received, /ok$/);
      }
    }
  }
  t.equal(good.received.length, 2 * headLength);
  t.notOk(good.received.some((line) => line.startsWith('POST')));
  await seen.request(4 * answer.length);
  t.ok(seen.requests.every(({ attempts }) => attempts <= 2));
  await untilCollected(balancer, () => balancer.status().servers[0]?.totals.failures === 4 * answer.length);
  t.match(balancer.status().servers, [
    { totals: { failures: 4 * answer.length } },
    { totals: { failures: 0 } },
  ]);
});

t.test('{attempt} in rules is the number of the attempt, for servers and clients', async (t) => {
  const heads: string[] = [];
  const server = async (status: string) =>
    origin(t, async (connection) => {
      for (;;) {
        heads.push((await readRequest(connection)).head);
        await connection.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
      }
    });
  const { connect } = await startBalancer(t, {
    servers: [(await server('503 No')).address, (await server('200 OK')).address],
    algorithm: 'first',
    retry: { on: [503] },
    header_rules: {
      add: { 'X-Attempt': '{attempt}', 'X-Path': '{path}' },
      append: { 'X-Seen': 'lb' },
      remove: ['X-Secret'],
    },
    response_header_rules: { add: { 'X-Attempts': '{attempt}' } },
  });
  const client = await connect();
  for (let i = 0; i < 2; i++) {
    client.send('GET /a HTTP/1.1\r\nHost: a\r\nX-Attempt: 7\r\nX-Seen: you\r\nX-Secret: s\r\n\r\n');
    t.match((await client.response()).head, /^X-Attempts: 2\r$/m);
    const ours = heads
      .splice(0)
      .map((head) => [...head.matchAll(/^(X-(?:Attempt|Path|Se).*)\r$/gm)].map(([, line]) => line));
    t.strictSame(
      ours,
      [1, 2].map((n) => [`X-Attempt: ${n}`, 'X-Seen: you', 'X-Path: /a', 'X-Seen: lb']),
    );
  }
});

t.test('no byte of a retried answer reaches the client, and its connection is reused', async (t) => {
  const chunks = 'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n';
  const cases = [
    ['short', BUSY, true],
    ['in pieces', `${chunks}${chunked('x'.repeat(3000), 700)}`, true],
    ['empty', 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n', true],
    ['that closes', `HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy`, false],
    ['to the end', 'HTTP/1.1 503 No\r\n\r\nbusy', false],
    ['too long', `HTTP/1.1 503 No\r\nContent-Length: 90000\r\n\r\n${'x'.repeat(90_000)}`, false],
  ] as const;
  const good = await working(t);
  const bad = await Promise.all(
    cases.map(([name, answer]) =>
      origin(t, async (connection) => {
        for (;;) {
          await readRequest(connection);
          await connection.write(answer);
          if (name === 'to the end' || name === 'that closes') return connection.end();
        }
      }),
    ),
  );
  const { connect, seen } = await startPaths(
    t,
    bad.map(({ address }) => ({
      servers: [address, good.address],
      algorithm: 'first',
      retry: { on: ['stale', 503] },
    })),
  );
  for (const [index, [name, , kept]] of cases.entries()) {
    const client = await connect();
    for (let turn = 1; turn <= 3; turn++) {
      client.send(request('PUT', `hello ${turn}`, '', `/${index}`));
      const { status, body, head } = await client.response();
      t.strictSame([status, body], [200, 'ok'], name);
      t.notMatch(head, /503|chunked/);
      const { tries } = await seen.request(3 * index + turn);
      t.match(tries.at(-1), { server: good.address, reason: '', status: 200 });
      await pause(10);
    }
    t.equal(client.received, '');
    t.strictSame(good.received.splice(0), ['PUT hello 1', 'PUT hello 2', 'PUT hello 3']);
    const asked = seen.requests.slice(3 * index).filter(({ attempts }) => attempts === 2).length;
    t.ok(asked >= 2);
    t.equal(bad[index]?.accepted, kept ? 1 : asked, `${name}: connections`);
  }
});

t.test('the connection is closed when the rest of a retried answer comes without an end', async (t) => {
  let held: RawConnection | null = null;
  const endless = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n');
    held = connection;
    await connection.hang();
  });
  const good = await working(t);
  const { connect, clock } = await startBalancer(
    t,
    { servers: [endless.address, good.address], algorithm: 'first', retry: { on: [503] } },
    { manual: true },
  );
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.response();
  const connection = held as unknown as RawConnection;
  const piece = chunked('x'.repeat(40_000), 40_000).subarray(0, -5);
  const first = clock.now();
  // Always just before the deadlines are looked at, which is every 50 ms.
  while (clock.now() - first < 3000 && endless.connections > 0) {
    clock.advance(49.5);
    await connection.write(piece);
    await turns();
    clock.advance(0.5);
    await turns();
  }
  t.ok(clock.now() - first < 500, `closed after ${clock.now() - first} ms`);
});

t.test('the connection is closed when the rest of a retried answer is slow', async (t) => {
  const bad = await origin(t, async (connection) => {
    await readRequest(connection);
    await connection.write('HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nslow');
    await connection.hang();
    connection.end();
  });
  const good = await working(t);
  const settings = { servers: [bad.address, good.address], retry: { on: [503] } };
  const { connect, clock } = await startBalancer(t, settings, { manual: true });
  const client = await connect();
  client.send(request('GET'));
  t.equal((await client.response()).status, 200);
  t.equal(bad.connections, 1);
  clock.advance(1200);
  await until(() => bad.connections === 0);
});

t.test(
  'the last answer is passed on, and an answer during an upload is retried while the upload continues',
  async (t) => {
    const servers = [await failing(t, '503'), await failing(t, '503'), await failing(t, '503')];
    const settings = { servers: servers.map(({ address }) => address), retry: { on: [503] } };
    const { connect, seen } = await startBalancer(t, settings);
    const client = await connect();
    client.send(request('GET'));
    const { status, body } = await client.response();
    t.strictSame([status, body], [503, 'busy']);
    const record = await seen.request();
    t.equal(record.reason, '');
    t.strictSame(
      new Set(triesOf(record).map((entry) => JSON.stringify(entry))),
      new Set(servers.map(({ address }) => JSON.stringify([address, '', 503, false]))),
    );

    const hasty = await origin(t, async (connection) => {
      await connection.readHead();
      await connection.write(BUSY);
      await connection.hang();
    });
    const good = await working(t);
    const upload = await startBalancer(t, {
      servers: [hasty.address, good.address],
      algorithm: 'first',
      retry: { on: [503] },
    });
    const uploader = await upload.connect();
    uploader.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await until(() => hasty.accepted !== 0);
    await pause(20);
    uploader.send('again');
    t.equal((await uploader.response()).status, 200);
    t.strictSame(good.received, ['PUT helloagain']);
  },
);

t.test('no request is retried after an interim response', async (t) => {
  const bad = await origin(t, async (connection) => {
    await readRequest(connection);
    await connection.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${BUSY}`);
  });
  const good = await working(t);
  const settings = {
    servers: [bad.address, good.address],
    algorithm: 'first' as const,
    retry: { on: ['reset' as const, 503] },
  };
  const { connect } = await startBalancer(t, settings);
  const client = await connect();
  client.send(request('GET'));
  t.match(await client.until('\r\n\r\n'), / 103 /);
  t.equal((await client.response()).status, 503);
});

t.test('the only server is asked again after a moment if it failed quickly', async (t) => {
  for (const fault of ['reset', '503'] as const) {
    const server = await failing(t, fault, 2);
    const settings = { servers: [server.address], retry: { on: ['reset', 503] } };
    const { connect, seen, clock } = await startBalancer(t, settings, { manual: true });
    const client = await connect();
    client.send(request('PUT', 'hello'));
    for (let attempt = 1; attempt <= 2; attempt++) {
      await until(() => server.received.length >= attempt);
      await pause(10);
      t.equal(server.received.length, attempt, 'not at once');
      clock.advance(25);
      await pause(5);
      t.equal(server.received.length, attempt);
      clock.advance(125 + attempt * 50);
    }
    t.equal((await client.response()).status, 200, fault);
    t.equal((await seen.request()).attempts, 3);
    t.strictSame(server.received, ['PUT hello', 'PUT hello', 'PUT hello']);
  }
});

t.test('a 503 with Retry-After, or a slow one, is not retried at the only server', async (t) => {
  const later = await origin(t, answering(BUSY.replace('\r\n\r\n', '\r\nRetry-After: 5\r\n\r\n')));
  const silent = await failing(t, 'silence');
  const { connect, seen } = await startPaths(
    t,
    [later, silent].map(({ address }) => ({
      servers: [address],
      retry: { on: ['timeout', 503] },
      timeouts: { response_header: address === silent.address ? '30ms' : '30s' },
    })),
  );
  for (const [index, status] of [503, 504].entries()) {
    const client = await connect();
    client.send(request('GET', '', '', `/${index}`));
    t.equal((await client.response()).status, status);
    t.equal((await seen.request(index + 1)).attempts, 1);
  }
});

t.test('a request whose client leaves during the pause is not sent again', async (t) => {
  const { connect, seen } = await startBalancer(t, { servers: [await deadAddress()] }, { manual: true });
  const client = await connect();
  client.send(request('GET'));
  await pause(30);
  client.reset();
  const record = await seen.request();
  t.equal(record.reason, 'client_abort');
  t.equal(record.tries.length, 1);
});

t.test('a body longer than retry.buffer is not sent again', async (t) => {
  let asked = (): void => {};
  const bad = await origin(t, async (connection) => {
    await connection.readHead();
    asked();
    await connection.read(100);
    connection.reset();
  });
  const good = await working(t);
  const cases = [
    [99, 502],
    [100, 200],
    [0, 502],
  ] as const;
  const { connect } = await startPaths(
    t,
    cases.map(([buffer]) => ({
      servers: [bad.address, good.address],
      algorithm: 'first',
      retry: { buffer },
    })),
  );
  for (const [index, [buffer, status]] of cases.entries()) {
    const sent = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const client = await connect();
    client.send(request('PUT', '', 'Content-Length: 100\r\n', `/${index}`));
    // After the head: bytes that arrive with it wait for the connection, and are kept however many they are.
    await sent;
    client.send('x'.repeat(100));
    t.equal((await client.response()).status, status, `${buffer} bytes`);
    t.equal(good.received.splice(0).length, status === 200 ? 1 : 0);
  }
});

t.test('no idempotent request fails when one of three servers is killed', async (t) => {
  const slow = () =>
    startRawServer(async (connection) => {
      for (;;) {
        await readRequest(connection);
        await pause(3);
        await connection.write(OK);
      }
    });
  const servers = [await slow(), await slow(), await slow()];
  t.teardown(() => Promise.all(servers.slice(1).map((server) => server.close())));
  const { connect, seen } = await startBalancer(t, { servers: servers.map(({ address }) => address) });
  const statuses: number[] = [];
  const work = async (method: string): Promise<void> => {
    const client = await connect();
    for (let i = 0; i < 25; i++) {
      client.send(request(method, method === 'PUT' ? 'hello' : ''));
      statuses.push((await client.response(method === 'HEAD')).status);
    }
  };
  const all = Array.from({ length: 24 }, (_, i) => work(['GET', 'PUT', 'HEAD', 'DELETE'][i % 4] as string));
  await seen.when(({ requests }) => requests.length > 150);
  await servers[0]?.close();
  await Promise.all(all);
  t.strictSame(new Set(statuses), new Set([200]));
  t.ok(seen.requests.some(({ tries }) => tries.length > 1));
});

nothingIsLeft(t);
