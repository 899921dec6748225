import t from 'tap';
import { tryLoopback } from '../../lib/net/loopback-self-test.js';
import { SocketChoice, socketMeans } from '../../lib/net/socket-choice.js';
import { loadBindings } from '../../lib/net/stream-binding.js';
import { tryTls } from '../../lib/net/tls-self-test.js';
import { until } from '../support/loop-ticks.js';

t.afterEach(() => {
  delete process.env.LB_SOCKETS;
});

t.equal(loadBindings(), null, 'this Node has what the fast means need');

t.test('sockets use the fast mode unless the documented mode is configured', async (t) => {
  for (const [asked, environment, means] of [
    [undefined, undefined, 'fast'],
    [undefined, '', 'fast'],
    [undefined, 'fast', 'fast'],
    [undefined, 'documented', 'documented'],
    ['documented', undefined, 'documented'],
    ['documented', 'fast', 'documented'],
    ['fast', 'documented', 'fast'],
  ] as const) {
    if (environment === undefined) delete process.env.LB_SOCKETS;
    else process.env.LB_SOCKETS = environment;
    const choice = new SocketChoice(asked);
    await choice.prove();
    t.equal(choice.mode, means, `option ${asked}, environment ${environment}`);
  }
});

t.test('the notice is shown exactly when the documented mode is used, and names the reason', async (t) => {
  t.equal(new SocketChoice('fast').notice, null);
  t.equal(
    new SocketChoice('documented').notice,
    'sockets: documented means only, which cost more CPU per request (as asked for)',
  );
  process.env.LB_SOCKETS = 'documented';
  t.equal(
    new SocketChoice().notice,
    'sockets: documented means only, which cost more CPU per request (LB_SOCKETS)',
  );
});

t.test('an unknown mode is refused, with the name of its source', async (t) => {
  t.throws(() => socketMeans('slow', 'LB_SOCKETS'), {
    name: 'ValueError',
    message: 'LB_SOCKETS is fast or documented, not "slow"',
  });
  t.throws(() => new SocketChoice('FAST' as 'fast'), {
    message: 'sockets is fast or documented, not "FAST"',
  });
  process.env.LB_SOCKETS = 'documented ';
  t.throws(() => new SocketChoice(), { message: 'LB_SOCKETS is fast or documented, not "documented "' });
});

for (const means of ['fast', 'documented'] as const) {
  t.test(
    `${means} sockets carry bytes both ways over loopback, and the self-test leaves nothing open`,
    async (t) => {
      // A warning of Node's may open a pipe meanwhile.
      const open = (): number =>
        process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
      const before = open();
      t.equal(await tryLoopback(means), null);
      t.equal(await tryTls(means), null);
      await until(() => open() <= before);
      t.ok(open() <= before, 'what was open before may have closed meanwhile');
    },
  );
}
