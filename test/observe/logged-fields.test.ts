import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type IpAddress, parseIpAddress } from '../../lib/base/ip-address.js';
import { maskedAddress } from '../../lib/base/masked-address.js';
import { RequestLog } from '../../lib/cli/request-log.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig, loadConfig } from '../../lib/config/config.js';
import type { AccessLogSetting } from '../../lib/config/settings.js';
import { LONGEST_VALUE, LoggedFields } from '../../lib/observe/logged-fields.js';
import { shownFieldValue } from '../../lib/observe/shown-field.js';
import { MemoryStream } from '../cli/support.js';
import { startBalancer } from '../support/balancer.js';
import { nothingIsLeft } from '../support/leaks.js';
import { origin } from '../support/origin.js';
import { recordOf } from './record.js';

const HEAD =
  'GET / HTTP/1.1\r\nHost: a\r\nX-Two: one\r\nAccept :  */*  \r\nx-two: "two"\x1b\r\nX-Empty:\r\n\r\n';

t.test('fields are found by name in any case, and those of one name are joined', async (t) => {
  const fields = new LoggedFields(['accept', 'x-two', 'x-none', 'x-empty', 'get / http/1.1'], false);
  t.same(fields.valuesOf(HEAD), ['*/*', 'one, "two"\x1b', null, '', null]);
  t.same(fields.valuesOf(''), [null, null, null, null, null], 'a request that was not understood');
  t.same(fields.valuesOf('HTTP/1.1 200 OK'), [null, null, null, null, null]);
});

t.test('long values are cut', async (t) => {
  const fields = new LoggedFields(['a'], false);
  const [value] = fields.valuesOf(`GET / HTTP/1.1\r\nA: ${'x'.repeat(10_000)}\r\n\r\n`);
  t.equal(value, `${'x'.repeat(LONGEST_VALUE - 3)}...`);
  const [many] = fields.valuesOf(`GET / HTTP/1.1\r\n${'A: xyz\r\n'.repeat(5000)}\r\n`);
  t.equal(many?.length, LONGEST_VALUE);
});

t.test('credentials are masked, and addresses if the settings say so', async (t) => {
  const shown: readonly (readonly [name: string, value: string, shown: string])[] = [
    ['authorization', 'Bearer abc', 'Bearer ***'],
    ['Proxy-Authorization', 'abc', '***'],
    ['cookie', 'sid=1; theme=dark', 'sid=***; theme=***'],
    ['set-cookie', 'sid=1; Path=/', 'sid=***; Path=/'],
    ['x-api-key', 'abc', '***'],
    ['referer', 'http://a/?token=abc&b=1', 'http://a/?token=***&b=1'],
    ['x-forwarded-for', '192.0.2.77, 2001:db8:1:2::3, unknown', '192.0.2.0, 2001:db8:1::, unknown'],
    ['forwarded', 'for="[2001:db8:1:2::3]:47011";proto=http', 'for="[2001:db8:1::]:47011";proto=http'],
    ['x-real-ip', '192.0.2.77', '192.0.2.0'],
    ['cf-connecting-ip', '192.0.2.77', '192.0.2.0'],
    ['x-forwarded-for', '192.0.2.77:1234', '192.0.2.0:1234'],
    ['cloudfront-viewer-address', '192.0.2.77:46532', '192.0.2.0:46532'],
    ['x-originating-ip', '[192.0.2.77]', '[192.0.2.0]'],
    ['x-forwarded-for', '::ffff:192.0.2.77', shownAs('::ffff:192.0.2.77')],
    ['x-goog-iap-jwt-assertion', 'abc', '***'],
    ['x-functions-key', 'abc', '***'],
    ['x-forwarded-uri', '/a?token=abc', '/a?token=***'],
    ['location', 'https://me:secret@a.test/b@c?d=e', 'https://***@a.test/b@c?d=e'],
    ['location', 'https://a.test/cb#access_token=abc&state=1', 'https://a.test/cb#***'],
    ['location', '/page#part', '/page#part'],
    ['x-time', '10:20:30', '10:20:30'],
    ['user-agent', 'a/1.2.3.4', 'a/1.2.3.4'],
  ];
  for (const [name, value, expected] of shown) t.equal(shownFieldValue(name, value, true), expected, value);
  t.equal(shownFieldValue('x-forwarded-for', '192.0.2.77', false), '192.0.2.77');
});

t.test('the values of strangers take time in proportion to their length', async (t) => {
  const long = 32_000;
  const values: readonly (readonly [name: string, value: string])[] = [
    ['x-forwarded-for', '1'.repeat(long)],
    ['x-forwarded-for', '1.'.repeat(long / 2)],
    ['x-forwarded-for', 'a:'.repeat(long / 2)],
    ['x-forwarded-for', ':'.repeat(long)],
    ['referer', 'a'.repeat(long)],
    ['referer', `http://${'@'.repeat(long)}`],
    ['referer', `/${'?'.repeat(long)}=`],
    ['cookie', ';'.repeat(long)],
  ];
  for (const [name, value] of values) {
    const since = process.cpuUsage();
    shownFieldValue(name, value, true);
    const { user } = process.cpuUsage(since);
    t.ok(user < 300_000, `${name}: ${value.slice(0, 8)}… takes ${user} µs`);
  }
});

function shownAs(address: string): string {
  return maskedAddress(parseIpAddress(address) as IpAddress);
}

function lineOf(directory: string, accessLog: AccessLogSetting, others: object = {}): Promise<string> {
  const file = join(directory, `${Math.random()}.log`);
  const stdout = new Terminal(new MemoryStream(true), { colour: false, env: {} });
  const log = new RequestLog({ stdout, file, quiet: false, warning: () => {} });
  log.applyConfig(createConfig({ access_log: accessLog, ...others }));
  const record = { requestHeadText: HEAD, responseHeadText: 'HTTP/1.1 200 OK\r\nX-Cache: HIT\r\n\r\n' };
  log.requestSettled(recordOf(record));
  return log.close().then(() => readFileSync(file, 'utf8'));
}

t.test('lines of json and combined have the named fields, escaped', async (t) => {
  const directory = t.testdir({});
  const named = { request_headers: ['Accept', 'X-Two', 'x-none'], response_headers: ['x-cache', 'etag'] };
  const json = await lineOf(directory, { format: 'json', ...named });
  t.match(json, /^[\x20-\x7e]*\n$/);
  t.match(
    json,
    ',"user_agent":"curl/8.5.0","request_headers":{"accept":"*/*","x-two":"one, \\"two\\"\\u001b"}',
  );
  t.match(JSON.parse(json), { response_headers: { 'x-cache': 'HIT' } });
  t.strictSame(Object.keys(JSON.parse(json).response_headers), ['x-cache'], 'what is not there is left out');

  const chosen = await lineOf(directory, { format: 'json', fields: ['status'], ...named });
  t.match(chosen, /^\{"status":200,"request_headers":\{.*\},"response_headers":\{.*\}\}\n$/);

  const combined = await lineOf(directory, { format: 'combined', ...named });
  t.match(combined, ' 7f3a "*/*" "one, \\x22two\\x22\\x1b" "-" "HIT" "-"\n');
});

t.test('lines of json have the instance when it is set or asked for', async (t) => {
  const directory = t.testdir({});
  t.notMatch(await lineOf(directory, 'json'), 'instance');
  t.match(await lineOf(directory, 'json', { instance: 'edge-1' }), ',"instance":"edge-1"}\n');
  const fields = ['instance', 'status'] as const;
  const chosen = { format: 'json', fields: [...fields] } as const;
  t.equal(await lineOf(directory, chosen, { instance: 'edge-1' }), '{"instance":"edge-1","status":200}\n');
  t.match(
    await lineOf(directory, { ...chosen, format: 'combined' }, { instance: 'edge-1' }),
    ' edge-1 200\n',
  );
});

t.test('only json and combined have fields to choose, and names are names', async (t) => {
  const problems = (text: string): string => {
    const result = loadConfig(text, { env: {} });
    return result.ok ? '' : result.problems.map(({ message }) => message).join('\n');
  };
  t.match(
    problems('access_log: { format: dev, request_headers: [a] }\nservers: [a:1]'),
    'dev cannot show headers',
  );
  t.match(problems('access_log: { request_headers: ["a b"] }\nservers: [a:1]'), 'name of a header field');
  t.match(problems('access_log: { response_headers: [] }\nservers: [a:1]'), 'header fields');
  const { accessLog } = createConfig({ access_log: { request_headers: ['Accept', 'accept'] } });
  t.strictSame(accessLog.requestHeaders, ['accept']);
});

t.test('the fields are those that the client sent and was sent', async (t) => {
  const server = await origin(t, async (connection) => {
    await connection.readHead();
    await connection.write('HTTP/1.1 200 OK\r\nETag: "1"\r\nX-Powered-By: x\r\nContent-Length: 0\r\n\r\n');
  });
  const rules = {
    header_rules: { add: { 'X-A': 'changed' } },
    response_header_rules: { remove: ['X-Powered-By'] },
  };
  const { connect, seen } = await startBalancer(t, { servers: [server.address], ...rules });
  const client = await connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nX-A: sent\r\n\r\n');
  await client.response();
  const { requestHeadText, responseHeadText } = await seen.request(1);
  t.same(new LoggedFields(['x-a'], false).valuesOf(requestHeadText), ['sent']);
  t.same(new LoggedFields(['etag', 'x-powered-by'], false).valuesOf(responseHeadText), ['"1"', null]);
});

nothingIsLeft(t);
