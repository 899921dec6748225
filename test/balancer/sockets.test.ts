import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { Program } from '../cli/support.js';
import { startBalancer } from '../support/balancer.js';
import { GET, OK } from '../support/http.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin } from '../support/origin.js';

const NOTICE = 'sockets: documented means only, which cost more CPU per request (as asked for)';

const INDEX = new URL('../../lib/index.js', import.meta.url);

t.test('documented sockets in use are a warning for observers, fast ones are not', async (t) => {
  const server = await origin(t, answering(OK));
  for (const [sockets, told] of [
    ['documented', [NOTICE]],
    ['fast', []],
  ] as const) {
    const { connect, seen } = await startBalancer(t, { servers: [server.address] }, { sockets });
    const client = await connect();
    client.send(GET);
    t.equal((await client.response()).body, 'ok');
    t.strictSame(
      seen.warnings.filter((warning) => warning.startsWith('sockets:')),
      told,
    );
  }
});

t.test('health checks use the same sockets as requests', async (t) => {
  const server = await origin(t, answering(OK));
  for (const health_check of [{ type: 'tcp' }, { path: '/' }] as const) {
    const settings = { servers: [server.address], health_check: { ...health_check, interval: '1h' } };
    const { seen } = await startBalancer(t, settings, { sockets: 'documented' });
    await seen.when(({ checks }) => checks.length > 0);
    t.match(seen.checks[0], { ok: true });
  }
});

t.test('means that do not exist are refused when the balancer is made', async (t) => {
  const sockets = 'slow' as 'fast';
  t.throws(() => createBalancer(createConfig({ servers: ['127.0.0.1:1'] }), {}, { sockets }), {
    message: 'sockets is fast or documented, not "slow"',
  });
});

t.test(
  'a program that observes no warnings has one line on stderr, however many balancers it starts',
  async (t) => {
    const source = `
    import { createBalancer, createConfig } from ${JSON.stringify(INDEX.href)};
    const config = createConfig({ listen: '127.0.0.1:0', health_check: false, servers: ['127.0.0.1:1'] });
    const balancers = [1, 2].map(() => createBalancer(config, {}, { sockets: 'documented' }));
    for (const balancer of balancers) await balancer.start();
    for (const balancer of balancers) balancer.stop();
  `;
    const directory = t.testdir({ 'two.mjs': source });
    const program = new Program([], {}, `${directory}/two.mjs`);
    t.teardown(() => program.kill());
    t.equal(await program.end(), 0);
    t.equal(program.stderr, `lb: ${NOTICE}\n`);
  },
);

nothingIsLeft(t);
