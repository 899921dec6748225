import t, { type Test } from 'tap';
import { startRawServer } from '../../../fixtures/raw-server.js';
import { get, start, url } from '../program.js';

/** A server whose answers to `/slow` wait for `release`. */
async function startServer(t: Test) {
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = await startRawServer(async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      const isSlow = head.startsWith('GET /slow ');
      if (isSlow) await released;
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${server.port}`);
    }
  });
  t.teardown(() => server.close());
  return { name: `127.0.0.1:${server.port}`, port: String(server.port), release };
}

t.test('a server of a running balancer is drained while a request is on it', async (t) => {
  const servers = [await startServer(t), await startServer(t)];
  const names = servers.map(({ name }) => name);
  const balancer = start(t, ['0', ...names, '--admin', '127.0.0.1:0', '--access-log', 'off']);
  const target = await url(balancer);
  const admin = await balancer.onStderr(/(localhost:\d+)\/ +status page/);
  const lb = (...words: string[]) => start(t, [...words, '--admin', admin]);

  const slow = get(`${target}slow`);
  const status = lb('status', '--json');
  t.equal(await status.end(), 0, status.stderr);
  const listed = JSON.parse(status.stdout) as { servers: { name: string; active: number }[] };
  const busy = listed.servers.find(({ active }) => active > 0)?.name ?? '';
  t.ok(names.includes(busy), 'one has it');

  const drain = lb('drain', busy, '--wait');
  await drain.onStderr(/ drains: 1 request left\n/);
  for (let i = 0; i < 4; i++) t.not((await get(target)).text, busy.split(':')[1], 'nothing new for it');
  for (const { release } of servers) release();
  t.equal((await slow).status, 200);
  t.equal(await drain.end(), 0);
  t.match(drain.stdout, / is empty after [1-9]\d* m?s\.\n$/);

  const add = lb('add', 'localhost:1', '--route', 'nowhere');
  t.equal(await add.end(), 1, 'the balancer says no');
  t.match(add.stderr, /^lb: .+\n$/);
  balancer.child.kill('SIGTERM');
  t.equal(await balancer.end(), 0);
  const gone = lb('status');
  t.equal(await gone.end(), 1);
  t.match(gone.stderr, /^lb: no answer at localhost:\d+\./);
});
