import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { openPage, withChromium } from './chromium.js';
import { type FleetSite, startFleet } from './fleet-site.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds wrong with the page as it is shown now, a line each. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: Violation[] }>('axe.run(document)');
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 150)} ${failureSummary}`),
  );
}

type Variant = readonly [screen: 'screen' | 'phone', scheme: 'light' | 'dark'];

const SIZES = { screen: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;

/** Looks at what is shown, in each of these ways. */
async function inspect(t: Test, page: Page, what: string, ...variants: readonly Variant[]): Promise<void> {
  for (const [screen, colorScheme] of variants) {
    await page.setViewportSize(SIZES[screen]);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    t.same(await faultsOf(page), [], `${what}, ${screen}, ${colorScheme}`);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    t.equal(width, SIZES[screen].width, `${what} fits a ${screen}`);
  }
  await page.setViewportSize(SIZES.screen);
}

async function open(t: Test, browser: Browser, site: FleetSite, hash = '') {
  t.teardown(() => site.close());
  const opened = await openPage(browser, `${site.url}${hash}`);
  t.teardown(() => opened.page.close());
  await opened.page.getByText('Live', { exact: true }).waitFor();
  return opened;
}

await withChromium(t, async (t, browser) => {
  await t.test('three servers are shown with all that there is to say of them', async (t) => {
    const site = await startFleet(1, 3, {
      health_check: { path: '/', interval: '1s', rise: 1, fall: 1 },
      passive_health: { consecutive_errors: 2, eject_for: '60s' },
      firewall_rules: { path_reject: ['/secret'] },
    });
    const { page, complaints } = await open(t, browser, site);
    await page.getByText('3 of 3 servers in use', { exact: true }).waitFor();
    site.balancer.setAvailability(site.nameOf(1), 'draining');
    site.answers.set(site.addressOf(2), { status: 503 });
    await page.getByRole('row', { name: /img-0.*Down status 503, for \d+ s/ }).waitFor();
    site.balancer.refuseReload('loadbalancer.yaml:3:1 servers: expected a list');
    await page.getByText('servers: expected a list').first().waitFor();
    await page.getByText(/Settings were refused at .*: those from before are in force/).waitFor();
    await inspect(
      t,
      page,
      'something wrong',
      ['screen', 'light'],
      ['screen', 'dark'],
      ['phone', 'light'],
      ['phone', 'dark'],
    );
    await page.getByRole('link', { name: 'img-0' }).click();
    await page.getByRole('heading', { name: 'img-0' }).waitFor();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await inspect(t, page, 'one server', ['phone', 'dark']);
    await page.goBack();
    await page.getByRole('link', { name: 'shop.example.com' }).click();
    await page.getByText('Route', { exact: true }).waitFor();
    await inspect(t, page, 'one route', ['screen', 'light']);
    t.same(complaints, []);
  });

  await t.test('three hundred servers are folded, found by a search, and shown by a link', async (t) => {
    const site = await startFleet(60, 300, { health_check: false });
    const { page, complaints } = await open(t, browser, site);
    await page.getByText('300 of 300 servers in use', { exact: true }).waitFor();
    await page.getByText('1–50 of 60 routes').waitFor();
    t.equal(await page.locator('.of-server').count(), 0);
    await page.getByRole('button', { name: 'Servers of api1.example.com' }).click();
    await page.locator('.of-server').nth(4).waitFor();
    t.equal(await page.locator('.of-server').count(), 5);
    const focused = 'document.activeElement.getAttribute("aria-label")';
    t.equal(await page.evaluate(focused), 'Servers of api1.example.com', 'the focus stays over updates');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('51–60 of 60 routes').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('pay-17');
    await page.getByRole('link', { name: 'pay-17', exact: true }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    t.match(page.url(), /#search=pay-17&unfold=api1\.example\.com$/);
    site.balancer.setAvailability('pay-17', 'maintenance');
    site.balancer.setAvailability('blog-03', 'draining');
    await page.getByText('298 of 300 servers in use: 1 maintenance, 1 draining').waitFor();
    await page.goto(`${site.url}#wrong=true`);
    await page.getByRole('row', { name: /pay-17.*Maintenance/ }).waitFor();
    await page.locator('.of-server').nth(1).waitFor();
    t.equal(await page.locator('.of-server').count(), 2, 'the same link shows the same to everybody');
    t.equal(
      await page.getByRole('button', { name: /Only what is wrong/ }).getAttribute('aria-pressed'),
      'true',
    );
    await inspect(t, page, 'what is wrong', ['phone', 'light']);
    t.same(complaints, []);
  });

  await t.test('a page of ten thousand servers is small', async (t) => {
    const site = await startFleet(10, 10_000, { health_check: false });
    const { page, complaints } = await open(t, browser, site, '#unfold=shop.example.com');
    await page.getByText('10,000 of 10,000 servers in use', { exact: true }).waitFor();
    await page.getByText('20 of 1,000 servers are shown.').waitFor();
    await page.getByRole('link', { name: 'All of them' }).click();
    await page.getByText('1–50 of 1,000 servers').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('51–100 of 1,000 servers').waitFor();
    await inspect(t, page, 'a route of a thousand servers', ['screen', 'dark']);
    t.ok(((await page.evaluate('document.querySelectorAll("*").length')) as number) < 6000);
    t.same(complaints, []);
  });

  await t.test('with ten thousand hosts an open page transfers a few kilobytes a second', async (t) => {
    const site = await startFleet(10_000, 1000, { health_check: false });
    const { page, complaints } = await open(t, browser, site);
    await page.getByText('1–50 of 10,000 routes').waitFor();
    const lengths: number[] = [];
    page.on('response', async (response) => {
      if (response.url().includes('/api/view')) lengths.push((await response.body()).length);
    });
    for (let round = 0; lengths.length < 4; round++) {
      site.balancer.setWeight(site.nameOf(round % 1000), 2 + (round % 9));
      await page.waitForTimeout(250);
    }
    t.ok(Math.max(...lengths) < 20_000, `${lengths.join(', ')} bytes`);
    await page.getByLabel('Search hosts, routes and servers').fill('pay9995');
    await page.getByRole('link', { name: 'pay9995.example.com' }).waitFor();
    await page.locator('.of-server').nth(2).waitFor();
    await inspect(t, page, 'ten thousand hosts', ['screen', 'light'], ['phone', 'dark']);
    t.same(complaints, []);
  });
});
