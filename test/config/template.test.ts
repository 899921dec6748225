// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import t from 'tap';
import { parseTemplate, plainText, type TemplatePart } from '../../lib/config/template.js';

const nothing = { captures: 0 };
const text = (text: string): TemplatePart => ({ kind: 'text', text });

t.test('a text without templates is one part, an empty text none', async (t) => {
  t.same(parseTemplate('plain', nothing), [text('plain')]);
  t.same(parseTemplate('', nothing), []);
});

t.test('variables and fields are holes', async (t) => {
  t.same(parseTemplate('a{client_ip}b{header.X-Name}{cookie.Id}{param.Q}', nothing), [
    text('a'),
    { kind: 'variable', name: 'client_ip' },
    text('b'),
    { kind: 'header', name: 'x-name' },
    { kind: 'cookie', name: 'Id' },
    { kind: 'param', name: 'Q' },
  ]);
});

t.test('braces that are no hole stay', async (t) => {
  for (const json of [
    '{}',
    '{ }',
    '{"a": {"b": 1}}',
    '{1}',
    '{a b}',
    '{',
    '}{',
    '[{"x":"{}"}]',
    '$1',
    '$$',
    '${HOME}',
  ]) {
    t.same(parseTemplate(json, nothing), [text(json)], json);
  }
  t.same(parseTemplate('{{client_ip}', nothing), [text('{client_ip}')]);
  t.same(parseTemplate('{{client_ip}}', nothing), [text('{client_ip}}')]);
});

t.test('groups of the route and of the rule are two things', async (t) => {
  t.same(parseTemplate('{$2}$1$$$0', { captures: 2, groups: 1 }), [
    { kind: 'capture', group: 2 },
    { kind: 'group', group: 1 },
    text('$'),
    { kind: 'group', group: 0 },
  ]);
});

t.test('a template that is not known in its place is refused', async (t) => {
  const meant = {
    clientip: 'client_ip',
    CLIENT_IP: 'client_ip',
    'heder.X-A': 'header.X-A',
    header_name: 'header.Name',
  };
  for (const [name, near] of Object.entries(meant)) {
    t.throws(() => parseTemplate(`{${name}}`, nothing), {
      name: 'ValueError',
      hint: `Did you mean {${near}}?`,
    });
  }
  t.throws(() => parseTemplate('{server}', nothing), { message: /before a server has answered/ });
  t.throws(() => parseTemplate('{$1}', nothing), { message: '{$1} is not known here' });
  t.throws(() => parseTemplate('{$0}', { captures: 1 }), { message: '{$0} is not known here' });
  t.throws(() => parseTemplate('$2', { captures: 0, groups: 1 }), { message: '$2 is not known here' });
  t.same(parseTemplate('{server}', { captures: 0, server: true }), [{ kind: 'variable', name: 'server' }]);
});

t.test('the plain text of a template leaves the holes out', async (t) => {
  t.equal(plainText(parseTemplate('a{host}b', nothing)), 'ab');
});
