import t from 'tap';
import { renderHead } from '../../lib/cli/heads.js';
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
