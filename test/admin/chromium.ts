import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

const CANDIDATES = [process.env.LB_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

const found = CANDIDATES.find((path) => path !== undefined && path !== '' && existsSync(path));

/**
 * Runs tests that need a browser. Without one they are skipped, and it is said why; with LB_REQUIRE_CHROMIUM=1 that is
 * a failure.
 */
export async function withChromium(
  t: Test,
  tests: (t: Test, browser: Browser) => Promise<void>,
): Promise<void> {
  const missing = found === undefined ? 'there is no Chromium: install it, or name it with LB_CHROMIUM' : '';
  if (missing !== '') {
    if (process.env.LB_REQUIRE_CHROMIUM === '1') t.fail(`LB_REQUIRE_CHROMIUM=1, but ${missing}`);
    else process.stderr.write(`\nSKIPPED, the status page is not looked at: ${missing}\n\n`);
  }
  // A browser takes a second or two to start, more on a busy machine.
  t.setTimeout(300_000);
  await t.test('in a browser', { skip: missing === '' ? false : missing }, async (t) => {
    const browser = await chromium.launch({ executablePath: found as string, args: ['--no-sandbox'] });
    t.teardown(() => browser.close());
    await tests(t, browser);
  });
}

/** What a page did that it must not do. */
export interface Watched {
  readonly page: Page;
  /** Complaints on its console, a violated policy among them, and errors nobody caught. */
  readonly complaints: string[];
  /** Every address it asked. */
  readonly asked: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { width?: number; height?: number; scheme?: 'light' | 'dark' } = {},
): Promise<Watched> {
  const { width = 1280, height = 900, scheme = 'light' } = options;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  const complaints: string[] = [];
  const asked: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(url);
  return { page, complaints, asked };
}
