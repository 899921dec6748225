import { get } from 'node:http';
import t, { type Test } from 'tap';
import { Admin } from '../../lib/admin/admin.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import type { AdminConfig } from '../../lib/config/types.js';
import { Exposition } from '../../lib/observe/exposition.js';

// Thousands of servers are made and shown several times: slow where other programs run.
t.setTimeout(100_000);

const HOSTS = 1000;
const SERVERS_PER_HOST = 3;

/** The admin listener of a balancer with 3,000 servers that serves nobody. */
async function startAdmin(t: Test): Promise<number> {
  const hosts = Array.from({ length: HOSTS }, (_, host) => ({
    host: `h${host}.example`,
    servers: Array.from({ length: SERVERS_PER_HOST }, (_, index) => ({
      address: `127.0.0.1:${1 + host * SERVERS_PER_HOST + index}`,
      name: `h${host}-${index}`,
    })),
  }));
  const config = createConfig({ listen: '127.0.0.1:0', admin: '127.0.0.1:0', health_check: false, hosts });
  const balancer = createBalancer(config);
  const exposition = new Exposition({ metrics: balancer.metrics, live: () => balancer.figureSteps() });
  const admin = new Admin(config.admin as AdminConfig);
  t.teardown(() => {
    admin.close();
    exposition.close();
    balancer.stop();
  });
  await admin.open(balancer, {
    reload: null,
    metrics: async () => ({ type: exposition.contentType, body: exposition.stream() }),
    report: (error) => t.fail(String(error)),
  });
  return (admin.address as { readonly port: number }).port;
}

/** The body of an answer, and how often the event loop had time for others until it came. */
function ask(port: number, path: string): Promise<{ body: string; ticks: number }> {
  return new Promise((resolve, reject) => {
    let ticks = 0;
    let waits = true;
    const tick = (): void => {
      ticks++;
      if (waits) setImmediate(tick);
    };
    setImmediate(tick);
    get({ port, path }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        waits = false;
        resolve({ body: Buffer.concat(pieces).toString(), ticks });
      });
    }).on('error', reject);
  });
}

t.test(
  'status, servers, configuration and metrics of 3,000 servers leave the event loop to others',
  async (t) => {
    const port = await startAdmin(t);
    const status = await ask(port, '/api/status');
    const { routes, servers } = JSON.parse(status.body) as { routes: object[]; servers: { name: string }[] };
    t.equal(routes.length, HOSTS);
    t.equal(servers.length, HOSTS * SERVERS_PER_HOST);
    t.match(routes[7], {
      name: 'h7.example',
      servers: [{ name: 'h7-0' }, { name: 'h7-1' }, { name: 'h7-2' }],
    });
    t.ok(status.ticks >= 20, `${status.ticks} ticks`);

    const list = await ask(port, '/api/servers');
    t.equal((JSON.parse(list.body) as { servers: object[] }).servers.length, HOSTS * SERVERS_PER_HOST);
    t.ok(list.ticks >= 10, `${list.ticks} ticks`);

    const metrics = await ask(port, '/metrics');
    t.equal(metrics.body.match(/^lb_server_up\{/gm)?.length, HOSTS * SERVERS_PER_HOST);
    t.ok(metrics.ticks >= 20, `${metrics.ticks} ticks`);

    const config = await ask(port, '/api/config');
    t.equal((JSON.parse(config.body) as { hosts: object[] }).hosts.length, HOSTS);
    t.ok(config.ticks >= 10, `${config.ticks} ticks`);
  },
);

t.test('showing one of 3,000 servers does not read the others', async (t) => {
  const port = await startAdmin(t);
  const { body } = await ask(port, '/api/servers/h500-1');
  t.match(JSON.parse(body), { name: 'h500-1', address: '127.0.0.1:1502', routes: ['h500.example'] });
  const byAddress = await ask(port, '/api/servers/127.0.0.1:1502');
  t.match(JSON.parse(byAddress.body), { name: 'h500-1' });
  const unknown = await ask(port, '/api/servers/h500-10');
  t.match(JSON.parse(unknown.body), { error: { hint: /^Did you mean h\d/ } });
});
