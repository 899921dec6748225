import fc from 'fast-check';
import t from 'tap';
import { parsePath } from '../../lib/config/pattern.js';
import { PathGuard } from '../../lib/firewall/path-guard.js';
import { otherReadings } from '../../lib/firewall/path-readings.js';
import { viewOf } from '../http/heads.js';

type Outcome = 400 | 403 | 'passes';

/** What becomes of a request for `target`: parsed, its path made normal, then judged. */
function outcomeOf(target: string, ...rejected: readonly string[]): Outcome {
  try {
    const view = viewOf(target);
    if (view.pathProblem !== null) return 400;
    return new PathGuard(rejected.map(parsePath)).judge(view) === null ? 'passes' : 403;
  } catch {
    return 400;
  }
}

t.test('a rejected path is refused in every spelling', async (t) => {
  const spellings: readonly (readonly [target: string, outcome: Outcome])[] = [
    // As it is, below it, with a query.
    ['/messages', 403],
    ['/messages/', 403],
    ['/messages//', 403],
    ['/messages/1', 403],
    ['/messages?x=1', 403],
    ['/messages/?/public', 403],
    ['http://example.test/messages', 403],
    ['HTTP://EXAMPLE.test:80//messages', 403],
    // Percent-encoded, in either case, in part and as a whole.
    ['/%6dessages', 403],
    ['/%6Dessages', 403],
    ['/message%73', 403],
    ['/%6d%65%73%73%61%67%65%73', 403],
    ['/%6D%65%73%73%61%67%65%73/', 403],
    ['%2Fmessages', 400],
    ['/%2fmessages', 403],
    ['/%2Fmessages', 403],
    ['/messages%2f', 403],
    ['/messages%2F1', 403],
    // Encoded twice and thrice.
    ['/%256dessages', 403],
    ['/%25256dessages', 403],
    ['/messages%252f1', 403],
    ['/%252e%252e/messages', 403],
    ['/public/%252e%252e/messages', 403],
    ['/public%252f..%252fmessages', 403],
    // Slashes.
    ['//messages', 403],
    ['///messages', 403],
    ['/messages//1', 403],
    // What follows two slashes is a host to whoever makes a URL of the target.
    ['//x/messages', 403],
    ['///x/messages/1', 403],
    ['/\\x/messages', 403],
    ['//u:p@x:80/messages?y', 403],
    ['//x;y/messages', 403],
    ['/%2fx/messages', 403],
    ['/%5cx/%6dessages', 403],
    ['//x/y/messages', 'passes'],
    // Dot segments, encoded as well.
    ['/./messages', 403],
    ['/.//messages', 403],
    ['/%2e/messages', 403],
    ['/%2E/messages', 403],
    ['/messages/.', 403],
    ['/messages/./', 403],
    ['/messages/%2e', 403],
    ['/public/../messages', 403],
    ['/public/%2e%2e/messages', 403],
    ['/public/.%2E/messages', 403],
    ['/public/%2e./messages', 403],
    ['/a/b/../../messages', 403],
    ['/a/./../messages/x', 403],
    ['/messages/../messages', 403],
    // Whoever does not go up routes this below /messages.
    ['/messages/../public', 403],
    ['/messages/%2e%2e/public', 403],
    // What servers disagree on: where `..` goes from here.
    ['/public//../messages', 400],
    ['/public/..//messages', 400],
    ['/public/%2f../messages', 400],
    ['/public%2f..%2fmessages', 400],
    ['/public/..%2fmessages', 400],
    ['/../messages', 400],
    ['/%2e%2e/messages', 400],
    ['/public/../../messages', 400],
    // Dots, spaces and control characters that fall off.
    ['/messages.', 403],
    ['/messages..', 403],
    ['/messages./', 403],
    ['/messages./1', 403],
    ['/messages%20', 403],
    ['/messages%20/1', 403],
    ['/messages%09', 403],
    ['/messages%0a', 403],
    ['/messages%0d%0a', 403],
    ['/messages%7f', 403],
    ['/messages%20.', 403],
    ['/public/..%20/messages', 403],
    // Blanks of Latin-1, which fall off at the end of the target, and bytes that are no UTF-8.
    ['/messages\xa0', 403],
    ['/messages\x85\x85', 403],
    ['/messages/\xa0', 403],
    ['/messages\xa0?x', 403],
    ['/messages%a0', 403],
    ['/messages%c2%a0', 403],
    ['/messages\xff', 403],
    ['/%256dessages\xa0', 403],
    // Parameters.
    ['/messages;', 403],
    ['/messages;x', 403],
    ['/messages;x=1/1', 403],
    ['/messages;x=1;y=2', 403],
    ['/;x/messages', 403],
    ['/messages%3bx', 403],
    ['/messages;%2f..%2fpublic', 400],
    ['/messages;%2fpublic', 403],
    ['/messages;%5c..%5cpublic', 403],
    ['/public/..;/messages', 403],
    ['/public/..;x=1/messages', 403],
    ['/public/..%3b/messages', 403],
    // Backslashes; bare they are not allowed in a target.
    ['/\\messages', 403],
    ['\\messages', 400],
    ['/%5cmessages', 403],
    ['/%5Cmessages', 403],
    ['/public%5c..%5cmessages', 403],
    ['/messages%5c1', 403],
    // Ends of the path that are hidden in it.
    ['/messages%00', 400],
    ['/messages%00.html', 400],
    ['/messages%2500.html', 403],
    ['/messages%3fx', 403],
    ['/messages%23x', 403],
    ['/messages#x', 400],
    // Broken and overlong encodings.
    ['/messages%', 400],
    ['/%6/messages', 400],
    ['/%zzmessages', 400],
    ['/%u006dessages', 400],
    ['/%c0%afmessages', 400],
    ['/public/%c0%ae%c0%ae/messages', 400],
    ['/%e0%80%afmessages', 400],
    ['/%f0%80%80%afmessages', 400],
  ];
  t.ok(spellings.length >= 60);
  for (const [target, outcome] of spellings) t.equal(outcomeOf(target, '/messages'), outcome, target);
});

t.test('other paths pass, however close they come', async (t) => {
  const others = [
    ...[
      '/',
      '/message',
      '/messagesx',
      '/messages-1',
      '/messages.html',
      '/x/messages',
      '/Messages',
      '/MESSAGES',
    ],
    ...[
      '/%4dessages',
      '/x;/messages',
      '/public;messages',
      '/public?/messages',
      '/public/?/../messages',
      '/%20messages',
    ],
    ...[
      '/messages%20x',
      '/.messages',
      '/..messages',
      '/mess/ages',
      '/caf%c3%a9',
      '/public/../x',
      '/100%25',
      '/a%3b',
    ],
  ];
  for (const target of others) t.equal(outcomeOf(target, '/messages'), 'passes', target);
});

t.test('an exact path is refused with or without a slash at its end, but not what is below it', async (t) => {
  for (const rejected of ['= /exact', '= /exact/']) {
    for (const target of [
      '/exact',
      '/exact/',
      '/%65xact',
      '/exact;x',
      '/exact;x/',
      '/exact.',
      '//exact',
      '/exact/.',
    ]) {
      t.equal(outcomeOf(target, rejected), 403, `${rejected} ${target}`);
    }
    for (const target of ['/exact/a', '/Exact', '/exac'])
      t.equal(outcomeOf(target, rejected), 'passes', target);
  }
});

t.test('a regular expression is asked about every reading', async (t) => {
  for (const target of [
    ...[
      '/a.php',
      '/a.ph%70',
      '/a.php/',
      '/a.php;x',
      '/a.php%20',
      '/a.php.',
      '/x/../a.php',
      '/a.php%3fx',
      '/a%252ephp',
    ],
    ...['/a%0a.php', '/a.php%2500.txt'],
  ]) {
    t.equal(outcomeOf(target, '~ \\.php$'), 403, target);
  }
  t.equal(outcomeOf('/a.PHP', '~ \\.php$'), 'passes');
  t.equal(outcomeOf('/a.PHP', '~* \\.php$'), 403);
  t.equal(outcomeOf('/secret;x/', '~ /secret/$'), 403);
});

t.test('the root as a prefix takes everything', async (t) => {
  for (const target of ['/', '/a', '//', '/a;b']) t.equal(outcomeOf(target, '/'), 403, target);
});

t.test('a text outside ASCII is compared as what it says', async (t) => {
  t.equal(outcomeOf('/caf%c3%a9/1', '/café'), 403);
  t.equal(outcomeOf('/caf%C3%A9;x', '/café'), 403);
  t.equal(outcomeOf('/cafe', '/café'), 'passes');
});

t.test('a path is compared with a regular expression however long it is', async (t) => {
  const long = `/${'a'.repeat(9000)}`;
  t.equal(outcomeOf(long, '~ ^/b'), 'passes');
  t.equal(outcomeOf(`${long}/b`, '~ /b$'), 403);
  t.equal(outcomeOf(`/${'a'.repeat(3000)};x`, '~ ^/b'), 'passes');
});

t.test('a guard refuses an invalid path by itself', async (t) => {
  t.not(new PathGuard([parsePath('/messages')]).judge(viewOf('/%00')), null);
});

t.test('usual paths have no other reading', async (t) => {
  for (const target of [
    ...['/', '/a/b.html', '/a/', '/caf%c3%a9/my%20file', '/v1/users/1:activate', '/a,b'],
    // Their last bytes are 0xA0 and 0x85.
    ...['/voil%c3%a0', '/voil\xc3\xa0', '/%c3%85', '/%c3%a0/'],
  ]) {
    const { path, rawPath } = viewOf(target);
    t.same(otherReadings(path, rawPath), [], target);
  }
});

t.test('a segment full of what falls off takes no longer than another', async (t) => {
  const started = process.cpuUsage();
  for (const filler of ['.', ';', '%20', '%5c', '%2525', '%20.', '\xa0']) {
    outcomeOf(`/${filler.repeat(Math.floor(8000 / filler.length))}x`, '/messages');
  }
  t.ok(process.cpuUsage(started).user < 500_000, 'µs for seven paths of 8,000 characters');
});

t.test('whatever is done to the letters and slashes of a rejected path, it is refused', async () => {
  const letter = (character: string): fc.Arbitrary<string> => {
    const hex = character.charCodeAt(0).toString(16);
    return fc.constantFrom(character, `%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`);
  };
  const slash = fc.constantFrom('/', '//', '/./', '/%2e/', '/x/../', '/;x/', '/x/..;/', '%5c');
  const begin = fc.oneof(slash, fc.constantFrom('//x/', '/\\x/', '/%5Cx%2f'));
  const end = fc.constantFrom('', '/', '/1', ';x', '.', '%20', '%5c', '/.', '%09/1', '/1/..', '?x', '\xa0');
  const segment = fc.tuple(...[...'admin'].map(letter)).map((letters) => letters.join(''));
  fc.assert(
    fc.property(begin, segment, slash, segment, end, (first, one, second, two, last) => {
      return (
        outcomeOf(
          `${first.startsWith('%') ? '/' : ''}${first}${one}${second}${two}${last}`,
          '/admin/admin',
        ) !== 'passes'
      );
    }),
    { numRuns: 2000 },
  );
});
