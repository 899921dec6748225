import type { Page } from 'playwright-core';
import { add, type Counts, classOf, emptyCounts, type Tally } from './load.js';

/** What the balancer itself says: besides what was answered, how many requests were sent to each server. */
export interface Ledger extends Counts {
  readonly sent: Tally;
}

const empty = (): Ledger => ({ ...emptyCounts(), sent: {} });

/** Of the JSON access log. A server is sent a request in each try that got a connection. */
export function ofLog(text: string): Ledger {
  const ledger = empty();
  for (const line of text.trimEnd().split('\n')) {
    const { status, server, tries } = JSON.parse(line) as LogLine;
    ledger.total++;
    add(ledger.classes, classOf(status));
    add(ledger.answers, `${server} ${classOf(status)}`);
    for (const { server, result } of tries)
      if (!/^(?:connect_|queue_|server_gone)/.test(result)) add(ledger.sent, server);
  }
  return ledger;
}

interface LogLine {
  readonly status: number;
  readonly server: string;
  readonly tries: readonly { readonly server: string; readonly result: string }[];
}

/** Of `/api/status`. */
export function ofStatus(status: unknown): Ledger {
  const { requests, servers } = status as StatusView;
  const ledger = empty();
  ledger.total = requests.total;
  for (const [kind, amount] of Object.entries(requests.by_status)) add(ledger.classes, kind, amount);
  for (const { name, totals } of servers) {
    add(ledger.sent, name, totals.requests);
    for (const [kind, amount] of Object.entries(totals.by_status))
      add(ledger.answers, `${name} ${kind}`, amount);
  }
  return ledger;
}

interface StatusView {
  readonly requests: { readonly total: number; readonly by_status: Tally };
  readonly servers: readonly {
    readonly name: string;
    readonly totals: { readonly requests: number; readonly by_status: Tally };
  }[];
}

/** Of `/metrics`. */
export function ofMetrics(text: string): Ledger {
  const ledger = empty();
  for (const [, name = '', labels = '', value = ''] of text.matchAll(/^(\w+)\{(.*)\} (\d+)$/gm)) {
    const label = (key: string): string => new RegExp(`\\b${key}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const amount = Number(value);
    if (name === 'lb_requests_total') {
      ledger.total += amount;
      add(ledger.classes, classOf(label('code')), amount);
    } else if (name === 'lb_server_responses_total') {
      add(ledger.answers, `${label('server')} ${label('code')}`, amount);
    } else if (name === 'lb_server_requests_total') {
      add(ledger.sent, label('server'), amount);
    }
  }
  return ledger;
}

/** Of the status page, as a person reads it: the view of each server is opened. */
export async function ofPage(page: Page, servers: readonly string[]): Promise<Ledger> {
  const ledger = empty();
  const all = readAnswers(await page.locator('#answers').innerText());
  ledger.total = all.requests;
  Object.assign(ledger.classes, all.kinds);
  for (const server of servers) {
    await page.getByRole('link', { name: server, exact: true }).first().click();
    await page.getByRole('heading', { name: server, exact: true }).waitFor();
    const { requests, kinds } = readAnswers(await page.locator('p.totals').innerText());
    add(ledger.sent, server, requests);
    for (const [kind, amount] of Object.entries(kinds)) add(ledger.answers, `${server} ${kind}`, amount);
    await page.getByRole('link', { name: 'All routes and servers' }).click();
  }
  return ledger;
}

/** `1,204 requests since the start: 1,200 2xx, 4 5xx. …` */
function readAnswers(text: string): { requests: number; kinds: Tally } {
  const plain = text.replaceAll(',', '').split('.')[0] ?? '';
  const kinds: Tally = {};
  for (const [, amount, kind = ''] of plain.matchAll(/(\d+) (\dxx|unanswered)/g))
    add(kinds, kind, Number(amount));
  return { requests: Number.parseInt(plain, 10), kinds };
}
