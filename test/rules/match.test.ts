import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { MatchSettings } from '../../lib/config/settings.js';
import type { RequestView } from '../../lib/http/request-view.js';
import { Conditions, firstMet } from '../../lib/rules/match.js';
import { viewOf } from '../http/heads.js';

/** The conditions of some routes, as a file would give them. */
function conditions(...matches: MatchSettings[]): Conditions[] {
  const { rest } = createConfig({
    routes: matches.map((match) => ({ match, respond: { status: 200 } })),
  });
  return rest.routes.map(({ match }) => new Conditions(match));
}

function unmet(match: MatchSettings, view: RequestView): string | null {
  return (conditions(match)[0] as Conditions).unmet(view);
}

t.test('fields and cookies are read as UTF-8, as the file is', async (t) => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const view = viewOf('/', [bytes('X-City: Zürich'), bytes('Cookie: city=Genève')]);
  t.equal(unmet({ header: { 'X-City': 'Zürich' } }, view), null);
  t.equal(unmet({ header: { 'X-City': '/^z.rich$/i' } }, view), null);
  t.equal(unmet({ cookie: { city: '/^Gen[èé]ve$/' } }, view), null);
  t.equal(unmet({ cookie: { city: 'Geneve' } }, view), 'cookie');
});

t.test('a header, parameter or cookie is told by its value, a pattern, or being there', async (t) => {
  const view = viewOf('/?v=1&v=%32&e', ['X-A: one', 'X-A: Two', 'Cookie: beta=; c=x']);
  t.equal(unmet({ header: { 'x-A': 'one' } }, view), null);
  t.equal(unmet({ header: { 'X-A': '/^two$/i' } }, view), null);
  t.equal(unmet({ header: { 'X-A': 'ONE' } }, view), 'header');
  t.equal(unmet({ header: { 'X-B': '*' } }, view), 'header');
  t.equal(unmet({ param: { v: '2', e: '*' } }, view), null);
  t.equal(unmet({ param: { v: '1', e: 'x' } }, view), 'param');
  t.equal(unmet({ cookie: { beta: '*', c: 'x' } }, view), null);
  t.equal(unmet({ cookie: { Beta: '*' } }, view), 'cookie');
});

t.test('method and path are compared case as given', async (t) => {
  const view = viewOf('/old//%61');
  t.equal(unmet({ method: ['POST', 'GET'] }, view), null);
  t.equal(unmet({ method: 'POST' }, view), 'method');
  t.equal(unmet({ path: '/old' }, view), null);
  t.equal(unmet({ path: '= /old/a' }, view), null);
  t.equal(unmet({ path: '/Old' }, view), 'path');
  t.equal(unmet({ path: '/ol' }, view), 'path');
  t.equal(unmet({ path: '~ ^/o.*a$' }, view), null);
});

t.test('a client is in a block, IPv4 in IPv6 too', async (t) => {
  const inside = ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::9'];
  for (const address of inside) {
    t.equal(unmet({ client_ip: ['10.0.0.0/8', '2001:db8::/32'] }, viewOf('/', [], address)), null, address);
  }
  t.equal(unmet({ client_ip: '10.0.0.0/8' }, viewOf('/', [], '11.0.0.1')), 'client_ip');
});

t.test('the first route whose conditions are all met wins', async (t) => {
  const routes = conditions({ path: '/a', method: 'POST' }, { path: '/a' }, { header: { 'X-A': '*' } });
  t.equal(firstMet(routes, viewOf('/a', ['X-A: 1'])), 1);
  t.equal(firstMet(routes, viewOf('/b', ['X-A: 1'])), 2);
  t.equal(firstMet(routes, viewOf('/b')), -1);
});

t.test(
  'a language wins as the best fit among those of the routes that are open to the request',
  async (t) => {
    const routes = conditions(
      { language: ['fr', 'it'] },
      { language: 'en', path: '/shop' },
      { language: 'de' },
      { header: { 'X-A': '*' } },
    );
    const first = (accepted: string, target = '/', ...fields: string[]) =>
      firstMet(routes, viewOf(target, [`Accept-Language: ${accepted}`, ...fields]));
    t.equal(first('it'), 0);
    t.equal(first('de, fr;q=0.9'), 2);
    t.equal(
      first('en, de;q=0.9'),
      -1,
      'English is for /shop alone, and there may be some without a condition',
    );
    t.equal(first('en;q=0.9, de'), 2);
    t.equal(first('en, de;q=0.9', '/shop'), 1);
    t.equal(first('ja'), -1);
    t.equal(first('ja', '/', 'X-A: 1'), 3);
    const known = (accepted: string) =>
      firstMet(routes, viewOf('/', [`Accept-Language: ${accepted}`]), ['es']);
    t.equal(known('en, de;q=0.9'), 2, 'what has no condition is Spanish');
    t.equal(known('es, de;q=0.9'), -1);
    t.equal(firstMet(routes, viewOf('/')), -1, 'without Accept-Language none is');
  },
);
