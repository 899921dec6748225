// Makes the pictures of the status page that the README shows: node dist/test/admin/screenshots.js [FOLDER] [SECONDS]
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { RawClient } from '../support/client.js';
import { type FleetSite, startFleet } from './fleet-site.js';

const [folder = 'docs', seconds = '75'] = process.argv.slice(2);
const HOSTS = ['shop', 'api', 'img', 'auth', 'search', 'pay', 'blog', 'mail', 'maps', 'news'];
/** How often each host is asked, relative to the others. */
const WEIGHTS = [9, 14, 12, 4, 6, 2, 3, 1, 2, 2];
const CLIENTS = 12;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks hosts at random until `until.ended`. */
async function ask(site: FleetSite, until: { ended: boolean }): Promise<void> {
  const bag = HOSTS.flatMap((host, index) => Array.from({ length: WEIGHTS[index] as number }, () => host));
  const client = await RawClient.connect(site.port);
  while (!until.ended) {
    const host = bag[Math.floor(Math.random() * bag.length)];
    client.send(`GET / HTTP/1.1\r\nHost: ${host}.example.com\r\n\r\n`);
    await client.response();
    await pause(20 + Math.random() * 40);
  }
  client.destroy();
}

async function photograph(page: Page, name: string): Promise<void> {
  await page.evaluate('document.activeElement.blur()');
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

const site = await startFleet(10, 30, {
  health_check: { path: '/', interval: '3s' },
  firewall_rules: { path_reject: ['/.git', '/wp-admin'], rate_limit: { requests: 500, per: '1s' } },
});
const until = { ended: false };
const asking = Array.from({ length: CLIENTS }, () => ask(site, until));
const browser = await chromium.launch({
  executablePath: process.env.LB_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
await pause(Number(seconds) * 700);
site.answers.set(site.addressOf(4), { status: 503 });
site.answers.set(site.addressOf(11), { status: 500, ms: 40 });
site.balancer.setAvailability(site.nameOf(8), 'draining');
await pause(Number(seconds) * 300);
for (const scheme of ['light', 'dark'] as const) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 880 }, colorScheme: scheme });
  await page.goto(site.url);
  await page.getByText('Live', { exact: true }).waitFor();
  await pause(2500);
  await photograph(page, `status-${scheme}`);
  await page.goto(`${site.url}#server=${site.nameOf(4)}`);
  await pause(1500);
  await photograph(page, `status-server-${scheme}`);
  await page.goto(`${site.url}#wrong=true`);
  await page.setViewportSize({ width: 390, height: 844 });
  await pause(1500);
  await photograph(page, `status-phone-${scheme}`);
  await page.close();
}
until.ended = true;
await Promise.all(asking);
await browser.close();
site.close();
