import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { start } from '../cli/program.js';
import { Program } from '../cli/support.js';
import { FIXTURE_SERVER } from '../support/processes.js';
import { openPage, withChromium } from './chromium.js';
import { ofLog, ofMetrics, ofPage, ofStatus } from './ledgers.js';
import { Load } from './load.js';
import { asker } from './support.js';

/** A server that is a process of its own: it can be killed. */
async function startServer(
  t: Test,
  name: string,
): Promise<{ name: string; address: string; process: Program }> {
  const process = new Program(['--name', name], {}, FIXTURE_SERVER);
  t.teardown(() => process.kill());
  return { name, address: await process.onStderr(/listens on (\S+)/), process };
}

/** The balancer as it is in earnest, with everything on that an operator looks at. */
async function startScene(t: Test) {
  const servers = await Promise.all(
    ['apple', 'banana', 'cherry', 'durian'].map((name) => startServer(t, name)),
  );
  const listed = servers
    .slice(0, 3)
    .map(({ name, address }) => `  - { name: ${name}, address: "${address}" }\n`);
  const folder = t.testdir({
    'lb.yaml':
      'listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\naccess_log: { format: json, file: access.log }\n' +
      `health_check: { path: /healthcheck, interval: 200ms, timeout: 1s }\nservers:\n${listed.join('')}`,
  });
  const balancer = start(t, ['-c', 'lb.yaml'], { cwd: folder });
  const admin = await balancer.onStderr(/(localhost:\d+)\/ +status page/);
  const port = Number(await balancer.onStderr(/curl http:\/\/\S+?:(\d+)/));
  const ask = asker(Number(admin.split(':')[1]));
  const log = (): string => readFileSync(join(folder, 'access.log'), 'utf8');
  return { balancer, servers, admin, port, ask, log };
}

await withChromium(t, async (t, browser) => {
  await t.test(
    'servers are drained, added and killed under load: nobody notices, and all counts agree',
    async (t) => {
      const { balancer, servers, admin, port, ask, log } = await startScene(t);
      const [, , cherry, durian] = servers;
      const { page, complaints } = await openPage(browser, `http://${admin}/`);
      t.teardown(() => page.close());
      const load = new Load(port, 12);
      t.teardown(() => load.stop());
      await load.more(200);

      await page.getByRole('button', { name: 'Drain apple' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Take out' }).click();
      await page.getByRole('listitem').filter({ hasText: 'apple is drained' }).waitFor();
      const atApple = load.answersOf('apple');
      await load.more(200);
      t.equal(load.answersOf('apple'), atApple, 'the page has drained apple');

      const drain = start(t, ['drain', 'banana', '--wait', '--admin', admin]);
      t.equal(await drain.end(), 0, drain.stderr);
      t.match(drain.stdout, /^banana is empty.*\.\n$/);
      const atBanana = load.answersOf('banana');
      await load.more(200);
      t.equal(load.answersOf('banana'), atBanana, 'the command line has drained banana');

      const { name, address } = durian!;
      t.match(await ask('/api/servers', { method: 'POST', body: { name, address } }), { status: 201 });
      await load.more(200);
      t.ok(load.answersOf('durian') > 50, 'the API has added durian');

      cherry!.process.kill();
      await page.getByRole('row', { name: /cherry.*Down/ }).waitFor();
      const atDurian = load.answersOf('durian');
      await load.more(200);
      t.ok(load.answersOf('durian') >= atDurian + 200, 'all goes to the one that is left');

      await load.stop();
      t.strictSame(load.troubles, [], 'no request has failed');
      const api = ofStatus((await ask('/api/status')).json);
      const metrics = ofMetrics((await ask('/metrics')).text);
      const names = servers.map((server) => server.name);
      const all = `${api.total.toLocaleString('en')} requests since the start`;
      await page.locator('#answers').filter({ hasText: all }).waitFor();
      const shown = await ofPage(page, names);
      t.strictSame(complaints, [], 'the page had nothing to complain of');
      // It would miss its balancer from here on.
      await page.close();
      balancer.child.kill('SIGTERM');
      t.equal(await balancer.end(), 0);
      const { sent, ...counts } = ofLog(log());
      const saved = log().match(/"attempts":2,"tries":\[\{"server":"cherry",/g) ?? [];
      t.ok(
        saved.length > 0,
        `${saved.length} requests were on cherry when it was killed, and went to another`,
      );
      t.strictSame(counts, load.counts, 'the log says what the clients have seen');
      t.strictSame(api, { ...counts, sent }, 'the API says what the log says');
      t.strictSame(metrics, { ...counts, sent }, 'and so do the metrics');
      t.strictSame(shown, { ...counts, sent }, 'and the page');
      t.comment(`${counts.total} requests: ${JSON.stringify(counts.answers)}`);
    },
  );
});
