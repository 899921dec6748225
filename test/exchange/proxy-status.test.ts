import t from 'tap';
import { answering } from '../../fixtures/raw-server.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { deadAddress, field, origin } from '../support/origin.js';

const WITH_STATUS = 'HTTP/1.1 418 Tea\r\nProxy-Status: inner; error=dns_error\r\nContent-Length: 0\r\n\r\n';

t.test('Proxy-Status has the reason of an error, or the status that a server sent', async (t) => {
  const server = await origin(t, answering(WITH_STATUS));
  const gone = await origin(t, async (connection) => {
    await connection.readHead();
    connection.reset();
  });
  const { connect } = await startBalancer(t, {
    proxy_status: 'edge-1',
    retry: false,
    error_pages: [{ status: 418, text: 'page', servers: true }],
    paths: [
      { path: '/dead', servers: [await deadAddress()] },
      { path: '/gone', servers: [gone.address] },
      { path: '/tea', servers: [server.address] },
      { path: '/kept', error_pages: [{ status: 404, text: 'lost' }], servers: [server.address] },
      { path: '/own', respond: { status: 404 } },
      { path: '/walled', firewall_rules: { path_reject: ['/'] }, servers: [server.address] },
    ],
  });
  const ask = async (path: string): Promise<string[]> => {
    const client = await connect();
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { head } = await client.response();
    client.destroy();
    return [...head.matchAll(/^Proxy-Status: (.*)\r$/gm)].map(([, value = '']) => value);
  };
  t.same(await ask('/dead'), ['edge-1; error=connection_refused; details="connect_refused"']);
  t.same(await ask('/gone'), ['edge-1; error=connection_terminated; details="reset_before_response"']);
  t.same(await ask('/none'), ['edge-1; error=destination_not_found; details="no_route"']);
  t.same(await ask('/walled'), ['edge-1; error=http_request_denied; details="blocked_path"']);
  const passed = ['inner; error=dns_error', 'edge-1; received-status=418'];
  t.same(await ask('/tea'), passed, 'with an error page in its place');
  t.same(await ask('/own'), [], 'what a route says is no error');
});

t.test('without the setting there is no such field of ours, and true has a name', async (t) => {
  const server = await origin(t, answering('HTTP/1.1 204 Ok\r\n\r\n'));
  for (const [setting, expected] of [
    [false, null],
    [true, 'lb; received-status=204'],
  ] as const) {
    const { connect } = await startBalancer(t, { proxy_status: setting, servers: [server.address] });
    const client = await connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    t.equal(field((await client.response()).head, 'proxy-status'), expected);
    client.send('GET /\r\nHost: a\r\n\r\n');
    const refused = (await client.response()).head;
    t.equal(
      field(refused, 'proxy-status'),
      setting ? 'lb; error=http_request_error; details="bad_request"' : null,
    );
    client.destroy();
  }
});

nothingIsLeft(t);
