import t from 'tap';
import { addressKey, parseAddress } from '../../lib/base/address.js';
import { ValueError } from '../../lib/base/units.js';

const listener = { defaultHost: '' };
const server = { defaultHost: 'localhost' };

t.test('a bare port takes the default host', async (t) => {
  t.same(parseAddress(8080, listener), { kind: 'tcp', host: '', port: 8080, text: '8080' });
  t.same(parseAddress('8080', server), {
    kind: 'tcp',
    host: 'localhost',
    port: 8080,
    text: 'localhost:8080',
  });
  t.same(parseAddress(':8080', server), {
    kind: 'tcp',
    host: 'localhost',
    port: 8080,
    text: 'localhost:8080',
  });
});

t.test('a star is every interface', async (t) => {
  t.same(parseAddress('*:8080', listener), { kind: 'tcp', host: '', port: 8080, text: '8080' });
});

t.test('host and port are read', async (t) => {
  for (const host of ['localhost', 'a.example', '192.0.2.1', 'my_service', 'x-1.example.', '0.0.0.0']) {
    t.same(parseAddress(`${host}:80`, server), { kind: 'tcp', host, port: 80, text: `${host}:80` });
  }
});

t.test('IPv6 stands in brackets', async (t) => {
  t.same(parseAddress('[::1]:80', server), { kind: 'tcp', host: '::1', port: 80, text: '[::1]:80' });
  t.match(parseAddress('[fe80::1%eth0]:80', server), { host: 'fe80::1%eth0' });
});

t.test('a Unix socket has a path', async (t) => {
  t.same(parseAddress('unix:/run/a.sock', server), {
    kind: 'unix',
    path: '/run/a.sock',
    text: 'unix:/run/a.sock',
  });
  t.throws(() => parseAddress('unix:', server), ValueError);
  t.throws(() => parseAddress(`unix:/${'x'.repeat(103)}`, server), { message: /may have 103 bytes/ });
});

t.test('what cannot be an address is refused with advice', async (t) => {
  const cases: [string | number, string][] = [
    ['http://localhost:80', 'Write host:port without a scheme: drop http://.'],
    ['https://localhost:443', 'Write host:port without a scheme: drop https://.'],
    ['WSS://localhost', 'Write https:// in place of WSS://.'],
    ['localhost:80/path', 'Write localhost:80 without a path.'],
    ['localhost', 'Add the port: localhost:8080.'],
    ['localhost:', 'Add the port after the colon.'],
    ['localhost:http', 'A port is a number from 1 to 65535.'],
    ['localhost:65536', 'A port is a number from 1 to 65535.'],
    [65536, 'A port is a number from 1 to 65535.'],
    [-1, 'A port is a number from 1 to 65535.'],
    [1.5, 'A port is a number from 1 to 65535.'],
    ['[::1]', 'Add the port: [::1]:8080.'],
    ['[localhost]:80', '"localhost" is not an IPv6 address.'],
    ['::1', 'Put an IPv6 address in brackets and add a port: [::1]:8080.'],
    ['::1:8080', 'Put an IPv6 address in brackets: [::1]:8080.'],
    ['300.1.1.1:80', '"300.1.1.1" is not an IPv4 address.'],
    ['a b:80', '"a b" is not a host name.'],
    ['-a:80', '"-a" is not a host name.'],
    ['user@host:80', '"user@host" is not a host name.'],
    ['', ''],
  ];
  for (const [text, hint] of cases) {
    t.throws(() => parseAddress(text, server), { name: 'ValueError', hint }, `${text}`);
  }
});

t.test('spellings of one address have one key', async (t) => {
  const key = (text: string): string => addressKey(parseAddress(text, server));
  t.equal(key('LOCALHOST:80'), key('80'));
  t.not(key('localhost:80'), key('localhost:81'));
  t.not(key('localhost:80'), key('unix:/localhost:80'));
});
