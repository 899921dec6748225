import t from 'tap';
import { didYouMean, editDistance, nearest, suggest } from '../../lib/base/nearest.js';

t.test('edits are counted, a swap of neighbours as one', async (t) => {
  t.equal(editDistance('', ''), 0);
  t.equal(editDistance('abc', 'abc'), 0);
  t.equal(editDistance('', 'abc'), 3);
  t.equal(editDistance('abc', ''), 3);
  t.equal(editDistance('kitten', 'sitting'), 3);
  t.equal(editDistance('waight', 'weight'), 1);
  t.equal(editDistance('sevrers', 'servers'), 1);
});

t.test('the word that was meant is found', async (t) => {
  const keys = ['listen', 'servers', 'health_check', 'header_rules', 'response_header_rules'];
  t.equal(nearest('server', keys), 'servers');
  t.equal(nearest('listn', keys), 'listen');
  t.equal(nearest('healthCheck', keys), 'health_check');
  t.equal(nearest('health-check', keys), 'health_check');
  t.equal(nearest('HEADER_RULES', keys), 'header_rules');
});

t.test('nothing is proposed for a word unlike all others', async (t) => {
  t.equal(nearest('frobnicate', ['listen', 'servers']), undefined);
  t.equal(nearest('x', ['a', 'b']), undefined);
  t.equal(nearest('anything', []), undefined);
});

t.test('the first of two equally near words wins', async (t) => {
  t.equal(nearest('bat', ['cat', 'hat']), 'cat');
});

t.test('a suggestion names the likely candidate, or is the given text without one', async (t) => {
  t.equal(suggest('conect', ['connect', 'queue']), 'Did you mean connect?');
  t.equal(suggest('xyz', ['connect', 'queue']), '');
  t.equal(suggest('xyz', ['connect'], 'It is connect.'), 'It is connect.');
  t.equal(didYouMean(null, 'It is connect.'), 'It is connect.');
  t.equal(didYouMean('lb check'), 'Did you mean lb check?');
});
