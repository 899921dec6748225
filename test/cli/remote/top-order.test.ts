import t from 'tap';
import { createPaint } from '../../../lib/cli/paint.js';
import type { ServerRates } from '../../../lib/cli/remote/rates.js';
import { keysLine, TopOrder } from '../../../lib/cli/remote/top-order.js';

const paint = createPaint(false);

function server(name: string, requests: number, p99: number | null, route = 'a'): ServerRates {
  const latency = p99 === null ? null : { p50: 1, p90: 1, p99 };
  const view = { name, routes: [route], active: 0, errors: 0, latency };
  return { server: view as unknown as ServerRates['server'], requests, failures: 0 };
}

t.test('a key sorts the servers, the greatest first, and another one as in the file', async (t) => {
  const servers = [server('c', 5, null, 'z'), server('a', 9, 2), server('b', 1, 7)];
  const order = new TopOrder();
  const names = (key: string): string => {
    t.ok(order.press(key), key);
    return order
      .sorted(servers)
      .map((one) => one.server.name)
      .join('');
  };
  t.equal(names('r'), 'acb');
  t.equal(names('p'), 'bac');
  t.equal(names('n'), 'abc');
  t.equal(names('t').at(-1), 'c');
  t.equal(names('o'), 'cab');
  t.notOk(order.press('x'));
});

t.test('arrows and pages scroll, and stop at the ends', async (t) => {
  const order = new TopOrder();
  const after = (...keys: string[]): number => {
    for (const key of keys) order.press(key);
    return order.scrolled(10, 4);
  };
  t.equal(after(), 0);
  t.equal(after('down', 'down'), 2);
  t.equal(after('page down'), 6);
  t.equal(after('down'), 6);
  t.equal(after('page up'), 2);
  t.equal(after('end'), 6);
  t.equal(after('home', 'up'), 0);
  t.equal(after('end', 'r'), 0, 'another order begins at its top');
});

t.test('the line of keys fits the window', async (t) => {
  for (const width of [80, 60, 40]) t.ok(keysLine(new TopOrder(), width, paint).length <= width, `${width}`);
});
