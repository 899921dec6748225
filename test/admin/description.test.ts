import t from 'tap';
import { EventStream } from '../../lib/admin/event-stream.js';
import { Page } from '../../lib/admin/page.js';
import { RequestTail } from '../../lib/admin/request-tail.js';
import { adminRoutes } from '../../lib/admin/routes.js';
import { Traffic } from '../../lib/admin/traffic.js';
import { Failures } from '../../lib/observe/failures.js';
import { recordOf } from '../observe/record.js';
import { ManualClock } from '../support/manual-clock.js';
import { compiles, description, schemaFault, schemaPointer } from './description.js';
import { FakeSubject } from './fake-subject.js';
import { type Ask, openAdmin, SERVICES } from './support.js';

t.test('openapi.json describes exactly the routes that exist', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  const routes = adminRoutes({
    subject,
    services: SERVICES,
    traffic: new Traffic(clock),
    failures: new Failures(),
    events: new EventStream(subject, clock),
    tail: new RequestTail(subject, clock),
    page: new Page(),
  });
  const there = routes.map(({ method, path, access }) => `${method} ${path} ${access}`);
  const described = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .map(([method, { security }]) => `${method.toUpperCase()} ${path} ${security ? 'open' : 'token'}`),
  );
  t.same(there.sort(), described.sort());
  t.match(description.openapi, /^3\.1\./);
});

t.test('every schema can be compiled', async (t) => {
  for (const name of Object.keys(description.components.schemas)) t.doesNotThrow(() => compiles(name), name);
});

t.test('every answer is as its schema says', async (t) => {
  const subject = new FakeSubject();
  const clock = new ManualClock();
  subject.note('down', 'apple', 'refused');
  const { admin, ask } = await openAdmin(t, subject, { clock });
  admin.observer.requestSettled?.(recordOf({ status: 502, reason: 'connect_refused' }));
  clock.advance(1000);
  const server = { address: 'localhost:5009', name: 'cherry' };
  const asked: readonly [method: string, path: string, pattern: string, status: number, body?: unknown][] = [
    ['GET', '/livez', '/livez', 200],
    ['GET', '/readyz', '/readyz', 200],
    ['GET', '/metrics', '/metrics', 200],
    ['GET', '/', '/', 200],
    ['GET', '/api/status', '/api/status', 200],
    ['GET', '/api/view?search=a&wrong=true&unfold=x&unfold=y&open=bans&events=0', '/api/view', 200],
    ['GET', '/api/view?wrong=1', '/api/view', 400],
    ['GET', '/api/view?serach=a', '/api/view', 400],
    ['GET', '/api/certificates', '/api/certificates', 200],
    ['POST', '/api/certificates/reload', '/api/certificates/reload', 200],
    ['GET', '/api/servers', '/api/servers', 200],
    ['POST', '/api/servers', '/api/servers', 201, server],
    ['POST', '/api/servers', '/api/servers', 409, server],
    ['POST', '/api/servers', '/api/servers', 400, {}],
    ['POST', '/api/servers', '/api/servers', 404, { ...server, route: 'x' }],
    ['POST', '/api/servers', '/api/servers', 413, { address: 'a'.repeat(70_000) }],
    ['GET', '/api/servers/apple', '/api/servers/{name}', 200],
    ['GET', '/api/servers/x', '/api/servers/{name}', 404],
    ['PATCH', '/api/servers/apple', '/api/servers/{name}', 200, { state: 'drain', weight: 2 }],
    ['PATCH', '/api/servers/apple', '/api/servers/{name}', 400, { state: 'x' }],
    ['DELETE', '/api/servers/cherry', '/api/servers/{name}', 204],
    ['POST', '/api/maintenance', '/api/maintenance', 200, { host: '*', for_ms: 5000, allow: ['::1'] }],
    ['POST', '/api/maintenance', '/api/maintenance', 400, { host: 5 }],
    ['GET', '/api/maintenance', '/api/maintenance', 200],
    ['DELETE', '/api/maintenance/*', '/api/maintenance/{name}', 200],
    ['DELETE', '/api/maintenance/x', '/api/maintenance/{name}', 404],
    ['GET', '/api/config', '/api/config', 200],
    ['POST', '/api/reload', '/api/reload', 200],
    ['GET', '/api/traffic', '/api/traffic', 200],
    ['GET', '/api/failures', '/api/failures', 200],
    ['GET', '/api/explain?url=/', '/api/explain', 200],
    ['GET', '/api/explain', '/api/explain', 400],
    ['GET', '/api/openapi.json', '/api/openapi.json', 200],
  ];
  for (const entry of asked) t.equal(await fault(ask, entry), '', `${entry[0]} ${entry[1]} ${entry[3]}`);
});

async function fault(
  ask: Ask,
  [method, path, pattern, status, body]: readonly [string, string, string, number, unknown?],
): Promise<string> {
  const reply = await ask(path, { method, body });
  if (reply.status !== status) return `answered ${reply.status}: ${reply.text}`;
  const pointer = schemaPointer(pattern, method, status);
  const type = (reply.headers['content-type'] ?? '').split(';')[0] ?? '';
  const types = Object.keys(
    description.paths[pattern]?.[method.toLowerCase()]?.responses[status]?.content ?? {},
  );
  if (types.length > 0 && !types.includes(type)) return `answered with ${type}`;
  return pointer === null ? '' : schemaFault(pointer, reply.json);
}

t.test('requests that the schemas take are taken', async (t) => {
  t.equal(
    schemaFault('/components/schemas/NewServer', { address: 'a:1', weight: 2, max_connections: 3 }),
    '',
  );
  t.equal(schemaFault('/components/schemas/Change', { state: 'drain' }), '');
  t.not(schemaFault('/components/schemas/Change', {}), '');
  t.not(schemaFault('/components/schemas/Change', { state: 'draining' }), '');
});
