import t from 'tap';
import { Admin } from '../../lib/admin/admin.js';
import { untilCollected } from '../support/balancer.js';
import { openPage, withChromium } from './chromium.js';
import { startSite } from './site.js';
import { adminConfig, SERVICES } from './support.js';

await withChromium(t, async (t, browser) => {
  await t.test('shows events as they happen, and loads nothing from elsewhere', async (t) => {
    const site = await startSite(t, { firewall_rules: { path_reject: ['/secret'] } });
    const { page, complaints, asked } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('3 of 3 servers in use', { exact: true }).waitFor();
    for (let count = 0; count < 12; count++) await site.get();
    t.equal(await site.get('/secret'), 403);
    t.equal(await site.get('/?status=500'), 500);
    await page.getByText('blocked_path').waitFor();
    await page.getByText('server_error').waitFor();
    await page.getByRole('row', { name: /any host.*3 of 3 in use.* 1 [\d.]+%/ }).waitFor();
    await page.getByRole('img', { name: /^Requests, per second: now .* at most [1-9]/ }).waitFor();
    await page.getByRole('row', { name: /path reject 1 0$/ }).waitFor();
    site.servers[1]!.healthy = false;
    await page.getByRole('row', { name: /banana.*Down.*status 500/ }).waitFor();
    await page.getByText('2 of 3 servers in use: 1 down', { exact: true }).waitFor();
    await page.getByRole('status').filter({ hasText: 'banana is down status 500' }).waitFor();
    site.servers[1]!.healthy = true;
    await page.getByRole('row', { name: /banana.*Up/ }).waitFor();
    await page.getByRole('link', { name: 'banana' }).first().click();
    await page.getByText('Up, its checks pass').waitFor();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    const failed = page.getByRole('listitem').filter({ hasText: /Check failed.*status 500/ });
    await failed.first().waitFor();
    // An open timeline goes on, also with what is no news to everybody.
    const before = await failed.count();
    site.servers[1]!.healthy = false;
    await failed.nth(before).waitFor();
    site.servers[1]!.healthy = true;
    t.equal(page.url(), `${site.url}#server=banana`);
    await page.getByRole('link', { name: 'All routes and servers' }).click();
    await page.getByRole('row', { name: /apple/ }).waitFor();
    t.same(complaints, []);
    t.same(
      asked.filter((url) => !url.startsWith(site.url) && !url.startsWith('data:')),
      [],
    );
  });

  await t.test('says which instance it shows, in the heading and the title', async (t) => {
    const site = await startSite(t, { instance: 'edge-1' });
    const { page, complaints } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByRole('heading', { level: 1, name: /^lb [\d.]+\S* edge-1$/ }).waitFor();
    await page.getByText('3 of 3 servers in use', { exact: true }).waitFor();
    await page.waitForFunction(`document.title === '3/3 up · edge-1 · lb'`);
    t.same(complaints, []);
  });

  await t.test('says how many requests wait while no server is up, and no longer when one is', async (t) => {
    const site = await startSite(t, { hold: '5m' });
    const { page, complaints } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByText('3 of 3 servers in use', { exact: true }).waitFor();
    for (const server of site.servers) server.healthy = false;
    await page.getByText(/No server takes requests for .+: they wait$/).waitFor();
    const first = site.get();
    await page.getByText(/No server takes requests for .+: 1 request waits$/).waitFor();
    const second = site.get();
    await page.getByText(/No server takes requests for .+: 2 requests wait$/).waitFor();
    for (const server of site.servers) server.healthy = true;
    t.same(await Promise.all([first, second]), [200, 200]);
    await page.getByText(/No server takes requests/).waitFor({ state: 'detached' });
    await page.getByText('3 of 3 servers in use', { exact: true }).waitFor();
    t.same(complaints, []);
  });

  await t.test('asks for all requests of a reason that is opened, and of no other', async (t) => {
    const site = await startSite(t, { firewall_rules: { path_reject: ['/secret'] } });
    // Long enough that not all of them fit into the list of all reasons.
    const long = 'x'.repeat(190);
    for (let count = 0; count < 10; count++) {
      t.equal(await site.get(`/secret/${long}${count}`), 403);
      t.equal(await site.get(`/${long}${count}?status=500`), 500);
      t.equal(await site.get(`/${long}${count}%zz`), 400);
    }
    // What other threads have not told yet would be news later, for which the page asks again.
    await untilCollected(site.balancer, () => site.balancer.status().requests.total === 30);
    const { page, complaints, asked } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    const card = page.getByRole('article').filter({ hasText: 'blocked_path' });
    await card.waitFor();
    const ofOne = (): string[] => asked.filter((url) => url.includes('/api/failures?'));
    t.same(ofOne(), [], 'nothing that is closed is asked for');
    t.ok((await card.locator('li').count()) < 10);
    await card.getByText('Last requests').click();
    await card.locator('li').nth(9).waitFor();
    t.same(ofOne(), [`${site.url}api/failures?reason=blocked_path`]);
    t.equal(await site.get('/secret/new'), 403);
    await card.getByText('/secret/new').waitFor();
    t.equal(await card.locator('li').count(), 10);
    t.same(new Set(ofOne()).size, 1);
    t.same(complaints, []);
  });

  await t.test('asks again soon for the requests of a reason when no answer came', async (t) => {
    const site = await startSite(t, { firewall_rules: { path_reject: ['/secret'] } });
    const long = 'x'.repeat(190);
    for (let count = 0; count < 10; count++) {
      t.equal(await site.get(`/secret/${long}${count}`), 403);
      t.equal(await site.get(`/${long}${count}?status=500`), 500);
      t.equal(await site.get(`/${long}${count}%zz`), 400);
    }
    await untilCollected(site.balancer, () => site.balancer.status().requests.total === 30);
    const { page, asked } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    let lost = 0;
    await page.route(/\/api\/failures\?/, (route) => (++lost <= 2 ? route.abort() : route.continue()));
    const card = page.getByRole('article').filter({ hasText: 'blocked_path' });
    await card.getByText('Last requests').click();
    // No other request fails meanwhile: the figures stay as they are.
    await card.locator('li').nth(9).waitFor();
    t.equal(asked.filter((url) => url.includes('/api/failures?')).length, 3);
  });

  await t.test('says when the connection is lost, and comes back', async (t) => {
    const site = await startSite(t);
    const { page } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByText('Live', { exact: true }).waitFor();
    site.admin.close();
    await page.getByText('Connection lost, trying again').waitFor();
    const again = new Admin(adminConfig({ listen: site.port }));
    t.teardown(() => again.close());
    await again.open(site.balancer, SERVICES);
    await page.getByText('Live', { exact: true }).waitFor();
    site.balancer.setAvailability('apple', 'draining');
    await page.getByRole('row', { name: /apple.*Draining/ }).waitFor();
    await page.getByRole('listitem').filter({ hasText: 'apple is draining' }).waitFor();
    for (const name of ['banana', 'cherry']) site.balancer.setAvailability(name, 'maintenance');
    await page.getByText(/No server takes requests for \d+ s: they get 503/).waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: 'default has no server that takes requests' })
      .waitFor();
  });

  await t.test('asks for the token, and shows nothing before', async (t) => {
    const site = await startSite(t, {}, { token: '0123456789abcdef' });
    const { page } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Token').fill('0123456789abcdeX');
    await page.keyboard.press('Enter');
    await dialog.getByRole('alert').filter({ hasText: 'this needs the token' }).waitFor();
    t.notMatch(await page.getByRole('main').innerText(), 'apple');
    await dialog.getByLabel('Token').fill('0123456789abcdef');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /apple/ }).waitFor();
    site.balancer.setAvailability('apple', 'draining');
    await page.getByRole('listitem').filter({ hasText: 'apple is draining' }).waitFor();
  });

  await t.test('with the read token the page offers no changes until another token is given', async (t) => {
    const [token, readToken] = ['0123456789abcdef', 'fedcba9876543210'];
    const site = await startSite(t, {}, { token, read_token: readToken });
    const { page } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(readToken);
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /apple/ }).waitFor();
    await page.getByText('Live, read only', { exact: true }).waitFor();
    t.equal(await page.getByRole('button', { name: /apple/ }).count(), 0);
    await page.getByRole('button', { name: 'Unlock changes' }).click();
    await dialog.getByLabel('Token').fill(readToken);
    await page.keyboard.press('Enter');
    await dialog.getByRole('alert').filter({ hasText: 'reading only' }).waitFor();
    await dialog.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Drain apple' }).click();
    await dialog.getByRole('button', { name: 'Take out' }).click();
    await page.getByRole('row', { name: /apple.*Draining/ }).waitFor();
    t.equal(await page.getByRole('button', { name: 'Unlock changes' }).count(), 0);
  });

  await t.test('the page fits a phone, also in dark mode', async (t) => {
    const long = 'a-server-with-a-very-long-name-that-nobody-would-ever-give-it.x';
    const site = await startSite(t);
    site.balancer.addServer('default', { address: '127.0.0.1:9', name: long });
    for (const scheme of ['light', 'dark'] as const) {
      const { page, complaints } = await openPage(browser, site.url, { width: 360, height: 740, scheme });
      await page.getByRole('button', { name: `Drain ${long}` }).waitFor();
      await page.getByRole('link', { name: long, exact: true }).click();
      await page.getByRole('heading', { name: 'Timeline' }).waitFor();
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      t.equal(width, 360, scheme);
      t.same(complaints, []);
      await page.close();
    }
  });

  await t.test('input of strangers is shown as text', async (t) => {
    const site = await startSite(t, { firewall_rules: { path_reject: ['/secret'] } });
    const { page, complaints } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByText('Live', { exact: true }).waitFor();
    await site.get('/secret/<img%20src=x%20onerror=alert(1)>');
    await page.getByText('Last requests').click();
    await page.getByText('/secret/').waitFor();
    t.equal(await page.locator('img').count(), 0);
    t.same(complaints, []);
  });
});
