import { createHash, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { chromium } from 'playwright-core';
import t from 'tap';
import { authorityFile } from '../../lib/tls/local-authority.js';
import { startBalancer } from '../support/balancer.js';
import { openPage, withChromium } from './chromium.js';
import { FakeSubject } from './fake-subject.js';
import { openAdmin } from './support.js';

await withChromium(t, async (t, browser) => {
  await t.test('the page lists the certificates with their expiry, and the sources of servers', async (t) => {
    const { port } = await openAdmin(t, new FakeSubject());
    const { page, complaints } = await openPage(browser, `http://127.0.0.1:${port}/`);
    t.teardown(() => page.close());
    await page.getByRole('heading', { name: 'Certificates' }).waitFor();
    const row =
      /www\.mango\.com and 1 more 2027-01-15 \d+ days valid CN=Mango CA,O=Mango \/etc\/lb\/www\.pem/;
    await page.getByRole('row', { name: row }).waitFor();
    const source = /dns api\.internal:8080 3 14 Nov \d\d:\d\d:\d\d fails: ESERVFAIL/;
    await page.getByRole('row', { name: source }).waitFor();
    t.same(complaints, []);
  });

  await t.test('the page has the threads where there are several', async (t) => {
    const subject = new FakeSubject();
    const { port } = await openAdmin(t, subject);
    const { page, complaints } = await openPage(browser, `http://127.0.0.1:${port}/`);
    t.teardown(() => page.close());
    await page.getByText('Live', { exact: true }).waitFor();
    const title = page.getByRole('heading', { name: 'Threads' });
    t.equal(await title.isVisible(), false, 'there is one thread');
    const thread = {
      requests: 1234,
      connections: 5,
      loopDelayMs: 1.5,
      since: Date.now() - 5000,
      restarts: 0,
    };
    subject.threads = [
      { ...thread, number: 1, busy: 0.25 },
      { ...thread, number: 2, busy: 0.96, restarts: 2 },
    ];
    await title.waitFor();
    await page.getByText('2 threads, the busiest 96%, 2 restarts').waitFor();
    await page.getByRole('row', { name: /^2 1,234 5 96% 1\.5 ms \d+ s 2$/ }).waitFor();
    t.same(complaints, []);
  });

  await t.test('the page has the nodes that share, and says when they do not', async (t) => {
    const subject = new FakeSubject();
    const { port } = await openAdmin(t, subject);
    const { page, complaints } = await openPage(browser, `http://127.0.0.1:${port}/`);
    t.teardown(() => page.close());
    await page.getByText('Live', { exact: true }).waitFor();
    const title = page.getByRole('heading', { name: 'Nodes that share' });
    t.equal(await title.isVisible(), false, 'nothing is shared');
    const shared = {
      state: 'shared' as const,
      ...{ node: 'edge-1', prefix: 'lb', error: '', latencyMs: 1, commands: 1, errors: 0 },
      ...{ answerSeconds: 1, answers: 1, keys: 0, leased: 0, returned: 0 },
      nodes: [
        { name: 'edge-1', isSelf: true, seenMs: 0, rate: 71.4 },
        { name: 'edge-2', isSelf: false, seenMs: 3000, rate: 28.6 },
      ],
    } as const;
    subject.shared = shared;
    await title.waitFor();
    await page.getByText('2 nodes', { exact: true }).waitFor();
    await page.getByRole('row', { name: 'edge-1 (this one) 71 71% just now' }).waitFor();
    await page.getByRole('row', { name: 'edge-2 29 29% 3 s ago' }).waitFor();
    subject.shared = { ...shared, state: 'lost', error: 'Command timed out' };
    await page.getByText("Redis is lost, limits are this node's share: Command timed out").waitFor();
    t.same(complaints, []);
  });

  await t.test('Chromium opens a site with a certificate of the local authority', async (t) => {
    const folder = t.testdir();
    const { port } = await startBalancer(
      t,
      {
        listen: [{ address: '127.0.0.1:0', tls: 'internal' }],
        respond: { body: 'here', headers: { 'Content-Type': 'text/plain' } },
      },
      { authority: folder },
    );
    // Trusted for this run by the key of what is shown, once curl's way of trust has verified it.
    const ca = readFileSync(authorityFile(folder));
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    const { publicKey } = socket.getPeerX509Certificate() as X509Certificate;
    socket.destroy();
    const hash = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
    const executablePath = [
      process.env.LB_CHROMIUM ?? '',
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
    ].find((path) => path !== '' && existsSync(path)) as string;
    const url = `https://localhost:${port}/`;
    const trusting = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', `--ignore-certificate-errors-spki-list=${hash}`],
    });
    t.teardown(() => trusting.close());
    const page = await trusting.newPage();
    await page.goto(url);
    t.equal(await page.textContent('body'), 'here');
    const stranger = await browser.newPage();
    await t.rejects(stranger.goto(url), { message: /ERR_CERT_AUTHORITY_INVALID/ });
    await stranger.close();
  });
});
