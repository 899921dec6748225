import { readFileSync } from 'node:fs';
import t from 'tap';
import { createConfig, loadConfig } from '../../lib/config/config.js';
import { type RouteMatch, Router } from '../../lib/routing/router.js';
import { RouteRules } from '../../lib/rules/route-rules.js';
import { viewOf } from '../http/heads.js';
import { type Sent, send, valuesSent } from './routes.js';

const loaded = loadConfig(readFileSync('fixtures/config/good/course.yaml', 'utf8'), { env: {} });
if (!loaded.ok) throw new Error('the file of the course is refused');
const router = Router.of(loaded.config, (route) => new RouteRules(route.rules));

/** What a server gets of a request under the file of the course. */
function course(host: string, target: string): Sent {
  const view = viewOf(target, [`Host: ${host}`]);
  const found = router.resolve(view) as RouteMatch<RouteRules>;
  return send(view, found.attached, { route: found.route.name, captures: found.captures });
}

t.test('MyCustomHeader is added', async (t) => {
  t.ok(
    course('www.mango.com', '/').fields.some(
      ([name, value]) => name === 'MyCustomHeader' && value === 'Test',
    ),
  );
});

t.test('MyCustomParam is added and RemoveMe removed', async (t) => {
  const { line } = course('www.mango.com', '/a?x=%20&RemoveMe=Remove&y');
  t.equal(line, 'GET /a?x=%20&y&MyCustomParam=Test HTTP/1.1');
});

t.test('/v1 is served as /v2', async (t) => {
  t.equal(course('www.mango.com', '/v1').line, 'GET /v2?MyCustomParam=Test HTTP/1.1');
  t.equal(course('www.mango.com', '/v1/a').line, 'GET /v2/a?MyCustomParam=Test HTTP/1.1');
  t.equal(course('www.mango.com', '/v10').line, 'GET /v10?MyCustomParam=Test HTTP/1.1');
});

t.test('with Host removed the server gets its own', async (t) => {
  t.same(course('www.mango.com', '/').fields[0], ['Host', 'origin.test:8081']);
  t.same(course('www.apple.com', '/').fields[0], ['Host', 'origin.test:8081']);
  t.same(course('www.orange.com', '/').fields[0], ['Host', 'www.orange.com']);
});

t.test('a path of the file reaches the server without its prefix', async (t) => {
  const sent = course('localhost', '/mango/a?b');
  t.equal(sent.line, 'GET /a?b HTTP/1.1');
  t.same(sent.fields[0], ['Host', 'origin.test:8081']);
  t.equal(course('localhost', '/apple').line, 'GET / HTTP/1.1');
  t.equal(router.resolve(viewOf('/mangos', ['Host: localhost'])), null);
});

const stories = Router.of(
  createConfig({
    hosts: [
      {
        host: 'www.mango.com',
        servers: ['desktop.test:1'],
        routes: [
          {
            match: { header: { 'User-Agent': '/Android|iPhone/i' } },
            header_rules: { add: { 'X-Device': 'mobile' } },
            servers: ['mobile.test:1'],
          },
          { match: { language: 'fr' }, servers: ['french.test:1'] },
          { match: { language: ['de', 'en'] }, servers: ['other.test:1'] },
        ],
      },
    ],
  }),
  (route) => new RouteRules(route.rules),
);

/** The first server of the route that a request takes, and the device it is told of. */
function story(...fields: string[]): string[] {
  const view = viewOf('/', ['Host: www.mango.com', ...fields]);
  const { route, attached } = stories.resolve(view) as RouteMatch<RouteRules>;
  const server = route.action.kind === 'forward' ? (route.action.group.servers[0]?.name ?? '') : '';
  return [server, ...valuesSent(send(view, attached), 'x-device')];
}

t.test('phones go to the mobile servers, with a header that says so', async (t) => {
  t.same(story('User-Agent: Mozilla/5.0 (Linux; Android 14)'), ['mobile.test:1', 'mobile']);
  t.same(story('User-Agent: Mozilla/5.0 (X11; Linux)'), ['desktop.test:1']);
});

t.test('a browser goes to the servers of the language it likes best', async (t) => {
  t.same(story('Accept-Language: fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5'), ['french.test:1']);
  t.same(story('Accept-Language: fr;q=0.3, de-AT'), ['other.test:1']);
  t.same(story('Accept-Language: ja'), ['desktop.test:1']);
  t.same(story(), ['desktop.test:1']);
});
