import t from 'tap';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { field } from '../support/origin.js';

t.test('no request target makes a redirect leave the configured host', async (t) => {
  const { connect } = await startBalancer(t, {
    paths: [
      { path: '~ ^/old(.*)$', redirect: { to: '{$1}' } },
      { path: '~ ^/shop(.*)$', redirect: { to: 'https://www.mango.com{$1}' } },
      { path: '~ ^/of/(.*)$', redirect: { to: 'https://{$1}.mango.com/' } },
    ],
    redirect: { to: '{path}' },
  });
  const client = await connect();
  const cases = [
    ['/oldhttps://evil.com', '/https:/evil.com'],
    ['/old//evil.com/%5C', '/evil.com/%5C'],
    ['/old%5C%5Cevil.com', '/%5C%5Cevil.com'],
    ['/old%09/evil.com', '/%09/evil.com'],
    ['/shop/a', 'https://www.mango.com/a'],
    ['/shop.evil.com', 'https://www.mango.com/.evil.com'],
    ['/shop:1@evil.com', 'https://www.mango.com/:1@evil.com'],
    ['/of/evil.com/x', 'https://evil.com%2Fx.mango.com/'],
    ['//evil.com', '/evil.com'],
  ] as const;
  for (const [target, location] of cases) {
    client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    t.equal(field((await client.response()).head, 'location'), location, target);
  }
});

nothingIsLeft(t);
