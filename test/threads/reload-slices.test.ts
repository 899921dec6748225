import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { startBalancer } from '../support/balancer.js';
import { ask, namedOrigins } from '../support/named-origins.js';
import { THREADS } from '../support/thread-switch.js';
import { longestTurns, startMetered } from '../support/worker-threads.js';

t.setTimeout(120_000);

/** By hand for more: `node dist/test/threads/reload-slices.test.js 10000`. The longest turns are garbage collections. */
const HOSTS = Number(process.argv[2] ?? 4000);
/** Of processor time, which a busy machine makes longer: 15 to 60 ms have been seen, and 300 to 600 without slices. */
const MOST_MS = 200;

// Since Node 22.19 and 23.9.
const skip =
  THREADS.skip ||
  (!('threadCpuUsage' in process) && 'this Node does not tell the processor time of a thread');

t.test(`a reload of ${HOSTS} hosts holds no engine for long`, { skip }, async (t) => {
  startMetered(true);
  t.teardown(() => startMetered(false));
  const [a] = await namedOrigins(t, 'a');
  const started = await startBalancer(t, { servers: [a!.address] }, { workers: 2 });
  const { balancer } = started;
  const config = createConfig({
    listen: '127.0.0.1:0',
    health_check: false,
    hosts: Array.from({ length: HOSTS }, (_, i) => ({
      host: `h${i}.example`,
      servers: i === 0 ? [a!.address] : [`127.1.${(i % 1000) >> 5}.${(i % 32) + 1}:9`],
    })),
  });
  const turns = await longestTurns(async () => {
    await balancer.reload(config);
    await balancer.settled();
  });
  for (const ms of turns) t.ok(ms > 0 && ms < MOST_MS, `${ms.toFixed(1)} ms at most`);
  const client = await started.connect();
  t.equal((await ask(client)).status, 404, 'no host of the new configuration');
});
