import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { createBalancer } from '../../lib/balancer.js';
import type { Observer } from '../../lib/base/observer.js';
import { createConfig } from '../../lib/config/config.js';
import { canSharePorts } from '../../lib/threads/worker-choice.js';
import { Program } from '../cli/support.js';
import { RawClient } from '../support/client.js';
import { GET } from '../support/http.js';
import { until } from '../support/loop-ticks.js';

const README = readFileSync(new URL('../../../docs/embedding.md', import.meta.url), 'utf8');
const [section = ''] = README.split('## Embed it')[1]?.split('\n## ') ?? [];

/** What stands between fences: the program, and what it prints. */
const [source = '', printed = ''] = [...section.matchAll(/```\w*\n(.*?)```\n/gs)].map((match) => match[1]);

t.test(
  'the example of docs/embedding.md runs, prints what the page shows, and ends at a signal',
  async (t) => {
    const example = source.replace('127.0.0.1:8080', '127.0.0.1:0');
    // Inside the package, so that its own name leads to it, by its exports.
    const directory = t.testdir({ 'example.mjs': example });
    const program = new Program([], {}, join(directory, 'example.mjs'));
    t.teardown(() => program.kill());
    await program.onStdout(/(running.*\n)/);
    t.equal(program.stdout, printed);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0, program.stderr);
  },
);

t.test('the head that a server got is kept for observers that read it, and for nobody else', async (t) => {
  const server = await startFixtureServer({ name: 'one' });
  t.teardown(() => server.close());
  for (const workers of canSharePorts() ? [1, 2] : [1])
    for (const readsServerHeads of [true, false]) {
      const heads: string[] = [];
      const observer: Observer = {
        ...(readsServerHeads && { readsServerHeads }),
        requestSettled: ({ serverHeadText }) => void heads.push(serverHeadText),
      };
      const config = createConfig({ listen: '127.0.0.1:0', health_check: false, servers: [server.address] });
      const balancer = createBalancer(config, observer, { workers });
      await balancer.start();
      const [address] = balancer.addresses;
      const client = await RawClient.connect(address?.kind === 'tcp' ? address.port : 0);
      client.send(GET);
      t.equal((await client.response()).status, 200);
      await until(() => heads.length === 1);
      t.match(
        heads[0],
        readsServerHeads ? /^GET \/ HTTP\/1\.1\r\n[\s\S]*X-Forwarded-For: / : /^$/,
        `${workers}`,
      );
      client.destroy();
      balancer.stop();
      await balancer.ended;
    }
});
