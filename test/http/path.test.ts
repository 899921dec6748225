import fc from 'fast-check';
import t from 'tap';
import { normalisePath, withoutDotSegments } from '../../lib/http/path.js';

t.test('a path is compared decoded, with single slashes and without dot segments', async (t) => {
  const normal: [raw: string, path: string][] = [
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/', '/a/'],
    ['//', '/'],
    ['//a///b//', '/a/b/'],
    ['/%61%2Fb', '/a/b'],
    ['/a%2fb', '/a/b'],
    ['/caf%C3%A9', '/café'],
    ['/caf%E9', '/caf\ufffd'],
    ['/%e2%82%ac', '/€'],
    ['/%2561', '/%61'],
    ['/a%5Cb', '/a\\b'],
    ['/a;b=%3B', '/a;b=;'],
    ['/A', '/A'],
    ['/./a/.', '/a/'],
    ['/a/./b', '/a/b'],
    ['/a/%2e/b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/%2E%2e/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/..', '/'],
    ['/a/b/../../c', '/c'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/..a', '/..a'],
    ['/.//a', '/a'],
    ['*', '*'],
  ];
  for (const [raw, path] of normal) t.same(normalisePath(raw), { path, problem: null }, raw);
});

t.test('a path that servers read in more than one way is refused', async (t) => {
  const refused: [raw: string, detail: RegExp][] = [
    ['/%', /without two/],
    ['/%4', /without two/],
    ['/%zz', /without two/],
    ['/%u002f', /without two/],
    ['/a%00', /%00/],
    ['/%c0%af', /overlong/],
    ['/%c0%ae%c0%ae/a', /overlong/],
    ['/%e0%80%af', /overlong/],
    ['/%f0%80%80%af', /overlong/],
    ['/..', /above its root/],
    ['/../a', /above its root/],
    ['/a/../../b', /above its root/],
    ['/%2e%2e/a', /above its root/],
    ['/a//../b', /together/],
    ['/a/..//b', /together/],
    ['//a/../b', /together/],
    ['/a%2F../b', /together/],
    ['/a/..%2Fb', /together/],
    ['/a%2Fb/../c', /together/],
  ];
  for (const [raw, detail] of refused) {
    const { path, problem } = normalisePath(raw);
    t.equal(path, raw);
    t.match(problem, { status: 400, reason: 'bad_request', detail }, raw);
  }
});

const RAW_PATH = fc
  .array(
    fc.constantFrom('/', '//', '/.', '/..', '/%2e', '/a', '/b', '/%2F', '/%61', '/caf%C3%A9', '/%E9', '%20'),
  )
  .map((pieces) => `/${pieces.join('')}`);

t.test('normalising a path without triplets again changes nothing', async () => {
  fc.assert(
    fc.property(RAW_PATH, (raw) => {
      const { path, problem } = normalisePath(raw);
      if (problem !== null || /[%\ufffd]/.test(path)) return true;
      return normalisePath(encodeURI(path)).path === path;
    }),
  );
});

t.test('resolving dot segments in the raw path keeps its meaning and all other bytes', async (t) => {
  t.equal(withoutDotSegments('/a//b/%2F/c'), '/a//b/%2F/c');
  t.equal(withoutDotSegments('/a/b/../c%20'), '/a/c%20');
  t.equal(withoutDotSegments('/a/%2e%2E/./b/.'), '/b/');
  t.equal(withoutDotSegments('/a/..'), '/');
  fc.assert(
    fc.property(RAW_PATH, (raw) => {
      const before = normalisePath(raw);
      if (before.problem !== null) return true;
      const resolved = withoutDotSegments(raw);
      return normalisePath(resolved).path === before.path && !/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(resolved);
    }),
  );
});
