import t from 'tap';
import { checkHeaderName } from '../../lib/config/fields.js';
import { FIELD, fieldId } from '../../lib/http/fields.js';
import { HeadEdit } from '../../lib/http/head-edit.js';

/** Every name that lb acts on, and some it does not. */
const NAMES = [
  ...['te', 'via', 'date', 'expect', 'cookie', 'trailer', 'upgrade', 'referer', 'forwarded', 'x-real-ip'],
  ...['connection', 'keep-alive', 'user-agent', 'x-request-id', 'max-forwards', 'authorization'],
  ...['content-length', 'x-forwarded-for', 'x-forwarded-host', 'proxy-connection', 'x-forwarded-proto'],
  ...['transfer-encoding', 'x-forwarded-port', 'x-forwarded-client-cert', 'x-forwarded-', 'x-other-name'],
  ...[
    'content-type',
    'my-header',
    'x-forwarded',
    'x-real-ips',
    'user-agents',
    'host',
    'cdn-loop',
    'traceparent',
    'tracestate',
  ],
  ...['client-cert', 'client-cert-chain', 'x-client-cert', 'x-client-cert-subject', 'x-client-certs'],
];

/** The name, with each `-` and with all of them as `_`. */
function spellings(name: string): string[] {
  const found = [name, name.toUpperCase(), name.replaceAll('-', '_')];
  for (let at = name.indexOf('-'); at !== -1; at = name.indexOf('-', at + 1)) {
    found.push(`${name.slice(0, at)}_${name.slice(at + 1)}`);
  }
  return found;
}

function isAccepted(name: string): boolean {
  try {
    return checkHeaderName(name) === name;
  } catch {
    return false;
  }
}

t.test('a rule is refused if, and only if, a head would take no notice of it', async (t) => {
  t.equal(new Set(NAMES.map((name) => fieldId(name, 0, name.length))).size, Object.keys(FIELD).length - 1);
  for (const name of NAMES.flatMap(spellings)) {
    const edit = new HeadEdit();
    edit.set(name.toLowerCase(), name, 'x');
    t.equal(isAccepted(name), edit.rest() !== '', name);
  }
});
