import { execFileSync } from 'node:child_process';
import t from 'tap';

const METHODS = new URL('../../lib/base/string-methods.js', import.meta.url).href;
const CLIENT = new URL('../../lib/fleet/redis-client.js', import.meta.url).href;

/** Runs a module that sets `result`, where V8 says how String.prototype is kept: `fast`, or `slow` while it is prepared for changes. */
function keptAfter(script: string): string {
  const code = `${script}\nprocess.stdout.write(%HasFastProperties(String.prototype) ? 'fast' : 'slow'); process.exit();`;
  const options = ['--allow-natives-syntax', '--input-type=module', '--eval', code];
  return execFileSync(process.execPath, options, { encoding: 'utf8', timeout: 30_000 });
}

t.test('a class that extends String makes the methods of strings slow, until they are settled', async (t) => {
  const extend = 'class Verbatim extends String {}';
  t.equal(keptAfter(extend), 'slow');
  t.equal(
    keptAfter(`import { settleStringMethods } from '${METHODS}'; ${extend} settleStringMethods();`),
    'fast',
  );
});

t.test('the client of Redis leaves the methods of strings fast', async (t) => {
  const config = {
    kind: 'server',
    redis: ['redis://127.0.0.1:1'],
    password: null,
    username: null,
    tls: null,
  };
  t.equal(
    keptAfter(`import { openRedis } from '${CLIENT}'; await openRedis(${JSON.stringify(config)}, () => {});`),
    'fast',
  );
});
