import t from 'tap';
import { readHeader, readRequest } from '../../../lib/routing/dry-run/asked-request.js';

t.test('a URL on the command line may be absolute or a path', async (t) => {
  const asked = (url: string, ...headers: string[]): string => {
    const { target, host } = readRequest('GET', url, headers.map(readHeader));
    return `${host ?? '-'} ${target}`;
  };
  t.equal(asked('http://www.mango.com/v1?x=1'), 'www.mango.com /v1?x=1');
  t.equal(asked('HTTP://www.mango.com:8080'), 'www.mango.com:8080 /');
  t.equal(asked('http://www.mango.com?x=1'), 'www.mango.com /?x=1');
  t.equal(asked('www.mango.com/a#part'), 'www.mango.com /a');
  t.equal(asked('/a?b'), '- /a?b');
  t.equal(asked('*'), '- *');
  t.equal(asked('//a/../b'), '- //a/../b', 'unchanged: unusual parts are explained');
  t.equal(asked('/a', 'host: www.mango.com'), 'www.mango.com /a');
  t.equal(asked('http://one.test/a', 'Host: two.test'), 'two.test /a');
});

t.test('headers on the command line are read with and without values', async (t) => {
  t.same(readHeader('X-A:  b: c '), { name: 'X-A', value: 'b: c' });
  t.same(readHeader('X-A:'), { name: 'X-A', value: '' });
  const { headers } = readRequest('GET', '/', ['A: 1', 'Host: x', 'a: 2'].map(readHeader));
  t.same(headers, [
    { name: 'A', value: '1' },
    { name: 'a', value: '2' },
  ]);
});

t.test('requests and headers that are malformed are refused', async (t) => {
  for (const text of ['nonsense', ': b', 'a b: c', 'X-A: b\r\nX-B: c'])
    t.throws(() => readHeader(text), { name: 'Error' }, text);
  for (const url of ['', '/a b', 'http:///a', 'ftp://a/b', '?x'])
    t.throws(() => readRequest('GET', url, []), url);
  t.throws(() => readRequest('G T', '/', []));
});
