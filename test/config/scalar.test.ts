// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import t from 'tap';
import { expand, plainScalar } from '../../lib/config/scalar.js';

const env = { HOST: 'app', EMPTY: '', NESTED: '${HOST}' };
const ok = (text: string) => ({ ok: true, text });

t.test('a variable is put in', async (t) => {
  t.same(expand('${HOST}:80', env), ok('app:80'));
  t.same(expand('${HOST}${HOST}', env), ok('appapp'));
  t.same(expand('plain $1 {client_ip} $', env), ok('plain $1 {client_ip} $'));
});

t.test('a default stands in for what is unset or empty', async (t) => {
  t.same(expand('${NONE:-a}', env), ok('a'));
  t.same(expand('${EMPTY:-a}', env), ok('a'));
  t.same(expand('${HOST:-a}', env), ok('app'));
  t.same(expand('${NONE:-}', env), ok(''));
  t.same(expand('${EMPTY}', env), ok(''));
});

t.test('a value is not expanded again', async (t) => {
  t.same(expand('${NESTED}', env), ok('${HOST}'));
});

t.test('two dollar signs stand for a plain one', async (t) => {
  t.same(expand('$${HOST}', env), ok('${HOST}'));
});

t.test('an unset variable and bad syntax are reported', async (t) => {
  t.match(expand('${NONE}', env), { ok: false, message: 'the environment variable NONE is not set' });
  for (const text of ['${}', '${1A}', '${A-b}', '${HOST', '${A B}'])
    t.match(expand(text, env), { ok: false }, text);
});

t.test('an unquoted scalar is a number only if it is printed as it is written', async (t) => {
  for (const text of ['0', '8080', '-1', '1.5']) t.equal(plainScalar(text), Number(text), text);
  for (const text of [
    '1.10',
    '012',
    '0x1F',
    '1e3',
    '+5',
    '1_000',
    '-0',
    '.5',
    '1.',
    '12:30',
    'NaN',
    'Infinity',
  ]) {
    t.equal(plainScalar(text), text, text);
  }
  t.same(['true', 'false', 'True', 'yes', 'off'].map(plainScalar), [true, false, 'True', 'yes', 'off']);
  t.same(['', '~', 'null', 'Null'].map(plainScalar), [null, null, null, 'Null']);
});
