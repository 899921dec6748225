import t from 'tap';
import { renderHead } from '../../lib/cli/heads.js';
import { shownTarget } from '../../lib/observe/escape.js';
import { combinedLine } from '../../lib/observe/formats/combined.js';
import { jsonLine } from '../../lib/observe/formats/json.js';
import { recordOf } from './record.js';

t.test('no line of a log has the credentials of a query in it', async (t) => {
  for (const name of [
    'token',
    'access_token',
    'api_key',
    'X-Amz-Signature',
    'password',
    'sessionid',
    'auth',
  ]) {
    const target = `/a?x=1&${name}=s3cr3t&author=bob`;
    const record = recordOf({ target, referer: `http://a.test${target}` });
    for (const line of [jsonLine(record), combinedLine(record)]) {
      t.notMatch(line, 's3cr3t', name);
      t.match(line, `/a?x=1&${name}=***&author=bob`);
    }
    t.notMatch(renderHead(`GET ${target} HTTP/1.1\r\nX-Api-Key: s3cr3t\r\n\r\n`, '>'), 's3cr3t');
  }
});

t.test('credentials are found wherever a query may begin, and their values to the end', async (t) => {
  t.equal(shownTarget('/a?to=/b?token=c&d=e'), '/a?to=/b?token=***&d=e');
  t.equal(shownTarget('/a?token=b?c=d&e=f#g'), '/a?token=***&e=f#g');
  t.equal(shownTarget('/a?token=b&token=c'), '/a?token=***&token=***');
  t.equal(
    shownTarget('/a?x.auth=b&y-authorization=c&author=d'),
    '/a?x.auth=***&y-authorization=***&author=d',
  );
  t.equal(shownTarget('/a?token=&b'), '/a?token=***&b');
  t.equal(shownTarget('/a?=b&token'), '/a?=b&token');
});

t.test('a target takes time in proportion to its length, whatever is in it', async (t) => {
  for (const [piece, end] of [
    ['?-', '&a=1'],
    ['-', '&a=1'],
    ['&token', ''],
    ['?token=', ''],
    ['&a=', '#'],
    ['token', '='],
    ['api-', '=1'],
  ] as const) {
    const target = `/?${piece.repeat(32_000 / piece.length)}${end}`;
    const since = process.cpuUsage();
    shownTarget(target);
    const { user } = process.cpuUsage(since);
    t.ok(user < 300_000, `${piece} … ${end} takes ${user} µs`);
  }
});
