import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { SharedConfig } from '../../lib/config/types.js';
import { JointScripts } from '../../lib/fleet/joint-scripts.js';
import { openRedis, type RedisArgument } from '../../lib/fleet/redis-client.js';
import { Script } from '../../lib/fleet/script.js';
import { until } from './nodes.js';
import { RedisServer, skipWithoutRedis } from './redis-server.js';

const ONE = new Script("return {'one', #KEYS, KEYS[1], #ARGV, ARGV[1]}");
const TWO = new Script("return {'two', #KEYS, KEYS[2], #ARGV, ARGV[3]}");
const OTHER = new Script("return 'other'");

type Call = readonly [command: string, args: readonly RedisArgument[]];

/** A client that keeps what it is asked. */
function keeper(answer: (command: string) => unknown): {
  calls: Call[];
  call(command: string, args: readonly RedisArgument[]): Promise<unknown>;
} {
  const calls: Call[] = [];
  return {
    calls,
    call: async (command, args) => {
      calls.push([command, args]);
      return answer(command);
    },
  };
}

t.test('scripts of one turn go out in one call, and each gets its own answer', async (t) => {
  const client = keeper(() => ['first', 'second']);
  const scripts = new JointScripts(client, [ONE, TWO]);
  scripts.collect();
  t.equal(scripts.isAsked, false);
  const answers = [scripts.run(TWO, ['a', 'b'], [1]), scripts.run(ONE, ['c'], ['x', 'y'])];
  t.equal(scripts.isAsked, true);
  t.strictSame(client.calls, [], 'nothing is sent before');
  scripts.send();
  t.strictSame(await Promise.all(answers), ['first', 'second']);
  t.equal(client.calls.length, 1);
  const [[command, [, ...args]]] = client.calls as [Call];
  t.equal(command, 'EVALSHA');
  t.strictSame(args, [3, 'a', 'b', 'c', 2, 2, 2, 1, 1, 1, 2, 1, 'x', 'y']);
});

t.test('one alone, one that is not joined, and what comes later have calls of their own', async (t) => {
  const client = keeper(() => 'answer');
  const scripts = new JointScripts(client, [ONE, TWO]);
  scripts.collect();
  const first = scripts.run(ONE, ['a'], []);
  t.equal(await scripts.run(OTHER, ['b'], []), 'answer', 'does not wait');
  scripts.send();
  t.equal(await first, 'answer');
  t.equal(await scripts.run(TWO, ['c'], []), 'answer');
  scripts.collect();
  scripts.send();
  t.strictSame(
    client.calls.map(([, [, ...args]]) => args),
    [
      [1, 'b'],
      [1, 'a'],
      [1, 'c'],
    ],
  );
});

t.test(
  'a script with many keys has a call of its own, so that no call holds up Redis for long',
  async (t) => {
    const client = keeper(() => ['first', 'second']);
    const scripts = new JointScripts(client, [ONE, TWO]);
    scripts.collect();
    const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
    const answers = [
      scripts.run(ONE, keys(200), []),
      scripts.run(TWO, keys(51), []),
      scripts.run(TWO, keys(50), []),
    ];
    scripts.send();
    await Promise.all(answers);
    t.strictSame(
      client.calls.map(([, [, count]]) => count),
      [51, 250],
    );
  },
);

t.test('an error of the call is that of all scripts', async (t) => {
  const client = keeper(() => {
    throw new Error('OOM');
  });
  const scripts = new JointScripts(client, [ONE, TWO]);
  scripts.collect();
  const answers = [scripts.run(ONE, [], []), scripts.run(TWO, [], [])];
  scripts.send();
  for (const answer of answers) await t.rejects(answer, /OOM/);
});

t.test('in Redis each script has its own keys and arguments', { skip: skipWithoutRedis }, async (t) => {
  const redis = await RedisServer.start(t);
  const { shared } = createConfig({ shared: { redis: redis.url } });
  const client = await openRedis(shared as SharedConfig, () => {});
  t.teardown(() => client.close());
  await until('it is connected', async () => (await client.call('PING', []).catch(() => '')) === 'PONG');
  const scripts = new JointScripts(client, [ONE, TWO]);
  for (const how of ['by their text', 'by their digest']) {
    scripts.collect();
    const answers = [
      scripts.run(ONE, ['a'], ['x']),
      scripts.run(TWO, ['b', 'c'], [1, 2, 3]),
      scripts.run(ONE, ['d'], ['y', 'z']),
    ];
    scripts.send();
    t.strictSame(
      await Promise.all(answers),
      [
        ['one', 1, 'a', 1, 'x'],
        ['two', 2, 'c', 3, '3'],
        ['one', 1, 'd', 2, 'y'],
      ],
      how,
    );
  }
});
