import fc from 'fast-check';
import t from 'tap';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import type { MessageHead } from '../../lib/http/head.js';
import { encodeInterimHead, encodeRequestHead, encodeResponseHead } from '../../lib/http/head-encoder.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { bytes, RequestReader, ResponseReader } from '../support/transport.js';

/** The values of the fields called `name` (lower case), in order; found by name, not by the ids that the encoders use. */
function valuesNamed(head: MessageHead, name: string): string[] {
  const indexes = Array.from({ length: head.fieldCount }, (_, index) => index);
  return indexes
    .filter((index) => head.nameAt(index).toLowerCase() === name)
    .map((index) => head.valueAt(index));
}

/** For any input, the output is a valid head with the same meaning, and without fields of the other hop. */

const LIMITS = { headBytes: 64 * 1024, fields: 200, targetBytes: 8 * 1024 };
const NOW = Date.UTC(2026, 0, 31);

const NAMES = [
  'Host', 'Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Content-Length',
  'Expect', 'Via', 'Date', 'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port',
  'X-Real-IP', 'X-Request-Id', 'Max-Forwards', 'Cookie', 'Authorization', 'X_Forwarded_For', 'Content_Length', 'Foo', 'Set-Cookie',
]; // biome-ignore format: one table
const VALUES = [
  '', 'a', 'close', 'keep-alive', 'upgrade', 'foo', 'te', 'Upgrade, Foo', 'host, content-length, transfer-encoding', 'websocket',
  'h2c', 'chunked', 'Chunked ', '0', '3', '007', '100-continue', 'trailers', '1.1 lb', '1.1 other', '192.0.2.9', '\xe9\xff', 'a\tb',
]; // biome-ignore format: one table
const cased = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(0, 1, 2))
  .map(([name, how]) => (how === 0 ? name : how === 1 ? name.toLowerCase() : name.toUpperCase()));
const line = fc
  .tuple(
    cased,
    fc.constantFrom('', ' ', '\t ', '  '),
    fc.constantFrom(...VALUES),
    fc.constantFrom('', ' ', '\t'),
  )
  .map(([name, before, value, behind]) => `${name}:${before}${value}${behind}\r\n`);
const lines = fc.array(line, { maxLength: 7 }).map((list) => list.join(''));

function same(got: unknown, expected: unknown, what: string): void {
  if (got !== expected) throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
}

/** The least number of these runs that must have had something to check. */
const ENOUGH = FUZZ_RUNS / 20;

t.test('any encoded request head is valid, means the same and has no field of the other hop', async (t) => {
  const first = new RequestReader(LIMITS);
  const second = new RequestReader(LIMITS);
  const start = fc.tuple(
    fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'BREW'),
    fc.constantFrom('/', '/a?b', '*', 'http://b', 'http://b:8/x?y', 'https://[::1]?z'),
    fc.constantFrom('1.0', '1.1'),
    fc.constantFrom('', 'Host: a\r\n', 'host:a:80 \r\n'),
  );
  let accepted = 0;
  fc.assert(
    fc.property(start, lines, fc.boolean(), fc.constantFrom('', 's:1'), (parts, fields, trusted, given) => {
      const [method, target, version, host] = parts;
      first.read([bytes(`${method} ${target} HTTP/${version}\r\n${host}${fields}\r\n`)]);
      const { head, complete } = first.parser;
      if (!complete || valuesNamed(head, 'cdn-loop').join().split('lb').length > 7) return;
      accepted++;
      const client = new ForwardedClient('2001:db8::1', trusted);
      const server = head.authority === '' ? 's:1' : given;
      const out = encodeRequestHead(head, client, 'id', server);
      second.read([bytes(out)]);
      const { head: again, refusal } = second.parser;
      same(refusal?.detail, undefined, out);
      same(again.text, out, 'the whole head');
      same(again.method, method, 'method');
      same(again.target, head.originTarget, 'target');
      same(again.minorVersion, 1, 'version');
      same(again.authority, server === '' ? head.authority : server, 'authority');
      same(`${again.framing} ${again.contentLength}`, `${head.framing} ${head.contentLength}`, 'framing');
      for (const name of ['host', 'x-forwarded-for', 'x-request-id'])
        same(valuesNamed(again, name).length, 1, name);
      for (const name of ['keep-alive', 'proxy-connection', 'x_forwarded_for', 'content_length'])
        same(valuesNamed(again, name).length, 0, name);
      if (!trusted) same(valuesNamed(again, 'x-forwarded-for').join(), '2001:db8::1', 'client');
      if (head.connection.named?.has('foo') === true) same(valuesNamed(again, 'foo').length, 0, 'foo');
      const connection = valuesNamed(again, 'connection').join();
      const expected = head.offeredProtocols !== '' ? 'Upgrade' : head.acceptsTrailers ? 'TE' : '';
      same(connection, expected, 'connection');
    }),
    { numRuns: FUZZ_RUNS * 3 },
  );
  t.ok(accepted > ENOUGH, `${accepted} were accepted`);
});

t.test('any encoded response head is valid, means the same and has no field of the other hop', async (t) => {
  const first = new ResponseReader(LIMITS);
  const second = new ResponseReader(LIMITS);
  const start = fc.tuple(
    fc.constantFrom('1.0', '1.1'),
    fc.constantFrom('200', '200 ', '200 OK', '204 No', '304 Not', '404 \xe9', '100 Go', '103 Hints'),
    fc.boolean(),
  );
  let accepted = 0;
  fc.assert(
    fc.property(start, lines, fc.boolean(), fc.boolean(), (parts, fields, oldClient, stays) => {
      const [version, status, toHead] = parts;
      first.read([bytes(`HTTP/${version} ${status}\r\n${fields}\r\n`)], { toHead });
      const { head, complete } = first.parser;
      if (!complete) return;
      accepted++;
      const unbounded = head.framing === 'chunked' || head.framing === 'close';
      const framing = unbounded ? (oldClient ? 'close' : 'chunked') : head.framing;
      const keepAlive = stays && framing !== 'close';
      const out = head.isInterim
        ? encodeInterimHead(head)
        : encodeResponseHead(head, { framing, keepAlive, oldClient }, NOW);
      second.read([bytes(out)], { toHead });
      const { head: again, refusal } = second.parser;
      same(refusal?.detail, undefined, out);
      same(again.text, out, 'the whole head');
      same(again.status, head.status, 'status');
      same(again.minorVersion, 1, 'version');
      same(again.framing, framing, 'framing');
      if (head.framing === 'length') same(again.contentLength, head.contentLength, 'length');
      for (const name of ['keep-alive', 'proxy-connection', 'upgrade', 'te', 'content_length'])
        same(valuesNamed(again, name).length, 0, name);
      if (head.isInterim) return;
      same(valuesNamed(again, 'date').length, Math.max(1, valuesNamed(head, 'date').length), 'date');
      same(again.connection.close, !keepAlive, 'close');
    }),
    { numRuns: FUZZ_RUNS * 3 },
  );
  t.ok(accepted > ENOUGH, `${accepted} were accepted`);
});
