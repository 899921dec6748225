import t from 'tap';
import { openPage, withChromium } from './chromium.js';
import { startSite } from './site.js';

/** What has the focus, as it is called. */
const FOCUSED = `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()`;

await withChromium(t, async (t, browser) => {
  await t.test('drains a server when the person confirms, and enables it again', async (t) => {
    const site = await startSite(t);
    const { page, complaints } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Drain apple' }).click();
    await dialog.getByText('Take apple out of service?').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    t.equal(site.balancer.status().servers[0]?.state, 'up', 'nothing is done before it is confirmed');
    await page.getByRole('button', { name: 'Drain apple' }).click();
    await dialog.getByRole('button', { name: 'Take out' }).click();
    await page.getByRole('row', { name: /apple.*Draining/ }).waitFor();
    t.equal(site.balancer.status().servers[0]?.state, 'draining');
    const before = site.servers[0]!.requests;
    for (let count = 0; count < 6; count++) t.equal(await site.get(), 200);
    t.equal(site.servers[0]!.requests, before);
    await page.getByRole('button', { name: 'Enable apple' }).click();
    await dialog.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('row', { name: /apple.*Up/ }).waitFor();
    t.same(complaints, []);
  });

  await t.test('reweights, and shows what is refused', async (t) => {
    const site = await startSite(t);
    const { page } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByRole('button', { name: 'Change the weight of cherry' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Weight').fill('7');
    await page.keyboard.press('Enter');
    await page.getByText('cherry: the weight is 7').first().waitFor();
    t.equal(site.balancer.status().servers[2]?.weight, 7);
    await page.getByRole('button', { name: 'Change the weight of cherry' }).click();
    site.balancer.removeServer('cherry');
    await dialog.getByLabel('Weight').fill('8');
    await dialog.getByRole('button', { name: 'Change' }).click();
    await dialog.getByRole('alert').filter({ hasText: 'no server called "cherry"' }).waitFor();
  });

  await t.test('shows banned clients, and lifts a ban after confirmation', async (t) => {
    const site = await startSite(t, {
      firewall_rules: { ban: { status: [400], count: 1, for: '1h' } },
    });
    const { page, complaints } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByRole('button', { name: 'Drain apple' }).waitFor();
    t.equal(await page.getByRole('heading', { name: 'Banned clients' }).count(), 0, 'nobody is');
    t.equal(await site.get('/%zz'), 400);
    await page.getByRole('row', { name: /127\.0\.0\.1.*firewall_rules/ }).waitFor();
    await page.getByRole('button', { name: 'Lift the ban of 127.0.0.1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click();
    await page.getByText('127.0.0.1 is let in again').first().waitFor();
    await page.getByRole('heading', { name: 'Banned clients' }).waitFor({ state: 'hidden' });
    t.equal(await site.get(), 200);
    t.same(complaints, []);
  });

  await t.test('a link to a server that is gone says so by name, and leads out', async (t) => {
    const site = await startSite(t);
    const gone = '<img src=x>';
    const { page, complaints } = await openPage(browser, `${site.url}#server=${encodeURIComponent(gone)}`);
    t.teardown(() => page.close());
    await page.getByText(`There is no server “${gone}” now.`).waitFor();
    await page.getByRole('link', { name: 'Show everything' }).click();
    await page.getByRole('button', { name: 'Drain apple' }).waitFor();
    t.equal(new URL(page.url()).hash, '');
    t.equal(await page.getByText('Show everything').isVisible(), false);
    t.same(complaints, []);
  });

  await t.test('everything can be done with the keyboard alone', async (t) => {
    const site = await startSite(t);
    const { page } = await openPage(browser, site.url);
    t.teardown(() => page.close());
    await page.getByRole('button', { name: 'Drain apple' }).waitFor();
    const focused = (): Promise<string> => page.evaluate(FOCUSED);
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'Skip to the servers');
    await page.keyboard.press('Enter');
    for (let count = 0; count < 8 && (await focused()) !== 'Drain apple'; count++)
      await page.keyboard.press('Tab');
    t.equal(await focused(), 'Drain apple');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    t.equal(await focused(), 'Drain apple', 'the focus comes back to where it was');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /apple.*Maintenance/ }).waitFor();
    t.equal(site.balancer.status().servers[0]?.state, 'maintenance');
    t.equal(await focused(), 'Enable apple', 'and stays with the server when its button changes');
  });
});
