import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { RawClient } from '../support/client.js';
import {
  ComposeSet,
  ContainerNetwork,
  freePort,
  PROJECT,
  SERVICES,
  statusOf,
  until,
  whyNoCompose,
  whyTaken,
} from './compose-set.js';

// The file of the course as it is, over the compose set on the ports that both name.

/** Where the addresses are that the file rejects, and this machine's own among them. */
const SUBNET = '10.192.0.0/24';
const MACHINE = '10.192.0.254';

/** Every port that the file names; behind the last three there is nobody. */
const PORTS = [8081, 8082, 9081, 9082, 8888, 1111, 1212];

const missing = (await whyNoCompose()) ?? (await whyTaken(PORTS));
if (missing !== undefined) {
  if (process.env.LB_REQUIRE_DOCKER === '1') t.fail(`LB_REQUIRE_DOCKER=1, but ${missing}`);
  else process.stderr.write(`\nSKIPPED, the course over containers is not tested: ${missing}\n\n`);
}

// Containers start and stop at their own pace, and a first image may have to be pulled.
t.setTimeout(300_000);

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** What the fixture answers on /echo, as far as it matters here. */
interface Echo {
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

await t.test('the course', { skip: missing ?? false }, async (t) => {
  const port = await freePort();
  await startSet(t, port);
  const told = await startBalancer(t, port);

  const ask = async (host: string, target: string, fields: readonly string[] = []): Promise<Answer> => {
    const client = await RawClient.connect(port);
    client.send(
      [`GET ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n'),
    );
    const answer = await client.response();
    client.destroy();
    return answer;
  };
  const servers = async (host: string, target: string): Promise<string[]> => {
    const names = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const { status, head } = await ask(host, target);
      names.add(status === 200 ? (/\r\nX-Backend: ([^\r]*)/i.exec(head)?.[1] ?? '') : String(status));
    }
    return [...names].sort();
  };

  await t.test('hosts and paths lead to their servers, each in turn', async (t) => {
    t.same(await servers('www.mango.com', '/'), ['mango-1', 'mango-2']);
    t.same(await servers('www.apple.com', '/'), ['apple-1', 'apple-2'], 'nobody runs the third one');
    t.same(await servers('elsewhere.test', '/mango'), ['mango-1', 'mango-2']);
    t.same(await servers('elsewhere.test', '/apple/pie'), ['apple-1', 'apple-2']);
    const { body } = await ask('elsewhere.test', '/apple/pie?x=1');
    t.match(body, /^GET \/pie\?x=1 HTTP\/1\.1$/m, 'a path is stripped of its prefix');
  });

  await t.test('a request to mango is changed as the file says', async (t) => {
    const { body } = await ask('www.mango.com', '/v1/fruit?RemoveMe=1&keep=%2F');
    t.match(body, /^GET \/v2\/fruit\?keep=%2F&MyCustomParam=Test HTTP\/1\.1$/m);
    const echo = JSON.parse((await ask('www.mango.com', '/echo?RemoveMe=1', ['X-Own: stays'])).body) as Echo;
    t.equal(echo.target, '/echo?MyCustomParam=Test');
    t.equal(field(echo, 'MyCustomHeader'), 'Test');
    t.equal(field(echo, 'X-Own'), 'stays');
    t.match(field(echo, 'Host'), /^localhost:808[12]$/, 'without its Host the server gets its own address');
    t.equal(field(echo, 'X-Forwarded-Host'), 'www.mango.com', 'and can read what was asked for');
  });

  await t.test('apple loses its Host and nothing else', async (t) => {
    const echo = JSON.parse((await ask('www.apple.com', '/echo?RemoveMe=1')).body) as Echo;
    t.equal(echo.target, '/echo?RemoveMe=1');
    t.equal(field(echo, 'MyCustomHeader'), '');
    t.match(field(echo, 'Host'), /^localhost:908[12]$/);
  });

  await t.test('rejected paths are forbidden, whatever their spelling', async (t) => {
    for (const path of ['/messages', '/apps/1', '/%6dessages', '//messages', '/a/../apps']) {
      t.same(short(await ask('www.apple.com', path)), [403, 'Forbidden'], path);
    }
    t.equal((await ask('www.apple.com', '/messagesboard')).status, 200);
    t.equal((await ask('www.mango.com', '/messages')).status, 200, 'on the host that says so');
  });

  await t.test('rejected addresses are forbidden, on the host that says so', async (t) => {
    const network = await ContainerNetwork.create(SUBNET, MACHINE);
    t.teardown(() => network.remove());
    const answer = (from: string, host: string): Promise<string> =>
      network.node(
        from,
        `require('http').get({ host: '${MACHINE}', port: ${port}, headers: { Host: '${host}' } }, (response) => {
          process.stdout.write(response.statusCode + ' ');
          response.pipe(process.stdout);
        })`,
      );
    t.equal(await answer('10.192.0.1', 'www.mango.com'), '403 Forbidden');
    t.equal(await answer('10.192.0.2', 'www.mango.com'), '403 Forbidden');
    t.match(await answer('10.192.0.3', 'www.mango.com'), /^200 Hello from mango/);
    t.match(await answer('10.192.0.1', 'www.apple.com'), /^200 Hello from apple/);
  });

  await t.test('requests that match no route are answered by the balancer', async (t) => {
    t.same(short(await ask('www.banana.com', '/')), [404, 'Not Found']);
    await until('the servers of orange are down', () =>
      ['localhost:1111', 'localhost:1212'].every((server) => told().includes(`${server} is down`)),
    );
    for (const [host, path] of [
      ['www.orange.com', '/'],
      ['elsewhere.test', '/orange'],
    ] as const) {
      const answer = await ask(host, path);
      t.same(short(answer), [503, 'No backend servers available.']);
      t.match(answer.head, /\r\nRetry-After: \d+\r\n/);
    }
  });
});

/** The four servers on the ports of the course; where somebody else has one of them, docker says so. */
async function startSet(t: Test, port: number): Promise<void> {
  const set = ComposeSet.onOwnPorts(port);
  t.teardown(() => set.down());
  await set.compose('up', '-d', ...SERVICES);
  for (const service of SERVICES) {
    await until(
      `${service} answers`,
      async () => (await statusOf(`http://${set.address(service)}/`)) === 200,
    );
  }
}

/** Starts the balancer with the file of the course; gives what it has said on stderr so far. */
async function startBalancer(t: Test, port: number): Promise<() => string> {
  const file = `${PROJECT}fixtures/config/good/course.yaml`;
  const options = ['--config', file, '--health-interval', '200ms', '--access-log', 'off'];
  const child = spawn(process.execPath, [`${PROJECT}bin/lb.js`, String(port), ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (text) => {
    told += text;
  });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  });
  await until(
    () => `the balancer answers; it said:\n${told}`,
    async () => {
      if (child.exitCode !== null) throw new Error(`the balancer exited with ${child.exitCode}: ${told}`);
      return (await statusOf(`http://127.0.0.1:${port}/`)) === 404;
    },
  );
  return () => told;
}

function short({ status, body }: Answer): [number, string] {
  return [status, body];
}

function field({ headers }: Echo, name: string): string {
  return headers.find(([other]) => other === name)?.[1] ?? '';
}
