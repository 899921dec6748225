import fc from 'fast-check';
import t from 'tap';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { bytes, cutAt, RequestReader, ResponseReader, type Seen } from '../support/transport.js';

/** Valid messages of every shape, pipelined and cut anywhere, are parsed to what was sent. */

const LIMITS = { headBytes: 64 * 1024, fields: 100, targetBytes: 8 * 1024 };
const TOKEN = [..."!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];
const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
const VISIBLE = [...range(0x21, 0x7e), ...range(0x80, 0xff)];

const text = (unit: readonly string[], minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...unit), minLength, maxLength });
const padding = text([' ', '\t'], 0, 3);

/** The prefix keeps the name from being one with a meaning. */
const field = fc
  .tuple(text(TOKEN, 0, 12), fc.array(text(VISIBLE, 1, 12), { maxLength: 4 }), padding, padding)
  .map(([name, words, before, behind]) => ({
    name: `q${name}`,
    value: words.join(' \t'),
    line: `q${name}:${before}${words.join(' \t')}${behind}\r\n`,
  }));
const fields = fc.array(field, { maxLength: 12 });

const data = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((b) => Buffer.from(b).toString('latin1'));
const quoted = text([' ', '\t', ';', '=', ...range(0x21, 0x7e).filter((c) => c !== '"' && c !== '\\')], 0, 8);
const extension = fc
  .tuple(
    text(TOKEN, 1, 6),
    fc.option(
      fc.oneof(
        text(TOKEN, 1, 6),
        quoted.map((v) => `"${v}"`),
      ),
      { nil: null },
    ),
  )
  .map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`));
const size = (length: number): fc.Arbitrary<string> =>
  fc.tuple(fc.boolean(), fc.nat(3)).map(([upper, zeros]) => {
    const hex = length.toString(16);
    return '0'.repeat(zeros) + (upper ? hex.toUpperCase() : hex);
  });
const chunk = data.chain((content) =>
  fc.tuple(size(content.length), fc.array(extension, { maxLength: 2 })).map(([hex, extensions]) => ({
    content,
    transport: `${hex}${extensions.join('')}\r\n${content}\r\n`,
    passed: `${hex}\r\n${content}\r\n`,
  })),
);
const FORBIDDEN = [
  'Host', 'Cookie', 'authorization', 'Set-Cookie', 'Content-Type', 'Cache-Control', 'X-Forwarded-For', 'Trailer',
  'TE', 'Range', 'If-Match', 'x_real_ip', 'Location', 'Max-Forwards', 'Proxy-Authorization', 'Connection',
]; // biome-ignore format: one table
const trailer = fc.oneof(
  { weight: 3, arbitrary: field.map(({ line }) => ({ line, passes: true })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...FORBIDDEN).map((name) => ({ line: `${name}: x\r\n`, passes: false })),
  },
);

interface Body {
  readonly line: string;
  readonly transport: string;
  readonly content: string;
  /** What a peer that knows chunks gets. */
  readonly passed: string;
}
const none = fc.constant<Body>({ line: '', transport: '', content: '', passed: '' });
const counted = fc.tuple(data, fc.nat(2)).map(([content, zeros]): Body => {
  const line = `Content-Length: ${'0'.repeat(zeros)}${content.length}\r\n`;
  return { line, transport: content, content, passed: content };
});
const chunked = fc
  .tuple(
    fc.array(chunk, { maxLength: 4 }),
    fc.array(extension, { maxLength: 2 }),
    fc.array(trailer, { maxLength: 4 }),
  )
  .map(
    ([chunks, extensions, trailers]): Body => ({
      line: 'transfer-Encoding: Chunked\r\n',
      transport: `${chunks.map((c) => c.transport).join('')}0${extensions.join('')}\r\n${trailers.map((f) => f.line).join('')}\r\n`,
      content: chunks.map((c) => c.content).join(''),
      passed: `${chunks.map((c) => c.passed).join('')}0\r\n${trailers.map((f) => (f.passes ? f.line : '')).join('')}\r\n`,
    }),
  );
const body = fc.oneof(none, counted, chunked);

interface Message extends Body {
  readonly start: string;
  readonly fields: readonly { readonly name: string; readonly value: string; readonly line: string }[];
}

function headOf(message: Message, host: string): string {
  return `${message.start}\r\n${host}${message.fields.map(({ line }) => line).join('')}${message.line}\r\n`;
}

const method = fc.oneof(
  fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  text(TOKEN, 1, 64).filter((token) => token !== 'CONNECT' && token !== 'TRACE'),
);
const PATH = VISIBLE.filter((c) => c !== '#');
const request = fc
  .tuple(method, text(PATH, 0, 60), fields, body)
  .map(
    ([verb, path, list, rest]): Message => ({ ...rest, start: `${verb} /${path} HTTP/1.1`, fields: list }),
  );
const response = fc
  .tuple(
    fc.integer({ min: 200, max: 999 }).filter((code) => code !== 204 && code !== 304),
    text([' ', '\t', ...VISIBLE], 0, 20),
    fields,
    fc.oneof(counted, chunked),
  )
  .map(
    ([code, reason, list, rest]): Message => ({ ...rest, start: `HTTP/1.1 ${code} ${reason}`, fields: list }),
  );
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 6 });

function check(
  messages: readonly Message[],
  fractions: readonly number[],
  form: 'wire' | 'content',
  host: string,
  read: (pieces: readonly Buffer[]) => Seen,
): void {
  const stream = messages.map((message) => headOf(message, host) + message.transport);
  const whole = bytes(stream.join(''));
  const seen = read(
    cutAt(
      whole,
      fractions.map((part) => Math.floor(part * whole.length)),
    ),
  );
  same(seen.outcome, 'whole', seen.detail);
  same(seen.messages.length, messages.length, 'messages');
  let end = 0;
  messages.forEach((message, i) => {
    const got = seen.messages[i];
    end += (stream[i] as string).length;
    same(got?.end, end, 'boundary');
    same(got?.head, headOf(message, host), 'head');
    const own = got?.fields.filter(([name]) => name.startsWith('q'));
    same(
      JSON.stringify(own),
      JSON.stringify(message.fields.map(({ name, value }) => [name, value])),
      'fields',
    );
    same(got?.body, form === 'wire' ? message.passed : message.content, 'body');
    same(got?.contentBytes, message.content.length, 'content bytes');
  });
}

function same(got: unknown, expected: unknown, what: string): void {
  if (got !== expected) throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
}

const form = fc.constantFrom<'wire' | 'content'>('wire', 'content');

t.test('valid pipelined requests, cut anywhere, are parsed to what was sent', async () => {
  const reader = new RequestReader(LIMITS);
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), cuts, form, (messages, fractions, how) =>
      check(messages, fractions, how, 'Host: a\r\n', (pieces) => reader.read(pieces, { form: how })),
    ),
    { numRuns: FUZZ_RUNS },
  );
});

t.test('valid pipelined responses, cut anywhere, are parsed to what was sent', async () => {
  const reader = new ResponseReader(LIMITS);
  fc.assert(
    fc.property(fc.array(response, { minLength: 1, maxLength: 4 }), cuts, form, (messages, fractions, how) =>
      check(messages, fractions, how, '', (pieces) => reader.read(pieces, { form: how })),
    ),
    { numRuns: FUZZ_RUNS },
  );
});

t.test(
  'a body listener that releases its message during a call is not called again, even when the parser is reused',
  async () => {
    const { parser } = new ResponseReader(LIMITS);
    const other = new ResponseReader(LIMITS);
    const another = bytes('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;x\r\nanother\r\n0\r\n\r\n');
    const piecesOf = (message: Message, how: 'wire' | 'content', most: number): string[] => {
      const whole = bytes(headOf(message, '') + message.transport);
      const pieces: string[] = [];
      parser.reset();
      const receiver = {
        droppedTrailers: null,
        onTrailers(fields: string): void {
          if (how === 'wire') pieces.push(`${fields}\r\n`);
        },
        onBodyBytes(buffer: Buffer, start: number, end: number): void {
          pieces.push(buffer.toString('latin1', start, end));
          if (pieces.length !== most) return;
          parser.reset();
          same(other.read([another], { form: 'content' }).messages[0]?.body, 'another', 'the other message');
        },
      };
      const at = parser.readHead(whole, 0, whole.length);
      const { framing, contentLength } = parser.head;
      parser.body.begin(framing, contentLength, how, receiver);
      if (!parser.body.complete) parser.body.read(whole, at, whole.length);
      same(parser.body.refusal, null, 'refusal');
      return pieces;
    };
    fc.assert(
      fc.property(response, form, fc.integer({ min: 1, max: 4 }), (message, how, most) => {
        const all = piecesOf(message, how, 0);
        same(JSON.stringify(piecesOf(message, how, most)), JSON.stringify(all.slice(0, most)), 'pieces');
      }),
      { numRuns: FUZZ_RUNS },
    );
  },
);

t.test('any bytes are parsed or refused without a throw, alike wherever they are cut', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((b) => Buffer.from(b).toString('latin1')),
    fc.constantFrom(
      'GET / HTTP/1.1\r\n', 'POST /p HTTP/1.0\r\n', 'HTTP/1.1 200 OK\r\n', 'Host: a\r\n', 'Content-Length: 3\r\n',
      'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding:', ' chunked', '\r\n', '\r', '\n', '0', '1', ';', ' ', '\t',
      'abc', 'Connection: upgrade\r\nUpgrade: x\r\n', 'X: ', 'ffffffff', ',',
    ),
  ); // biome-ignore format: one table
  const requests = new RequestReader(LIMITS);
  const responses = new ResponseReader(LIMITS);
  const soup = fc.array(piece, { maxLength: 14 }).map((list) => bytes(list.join('')));
  const summary = ({ outcome, messages }: Seen): string =>
    JSON.stringify([outcome, messages.map(({ head, end }) => [head, end])]);
  fc.assert(
    fc.property(soup, cuts, fc.boolean(), (whole, fractions, toServer) => {
      const read = (pieces: readonly Buffer[]): string =>
        summary(toServer ? requests.read(pieces) : responses.read(pieces, { ends: true }));
      const at = fractions.map((part) => Math.floor(part * whole.length));
      same(read(cutAt(whole, at)), read([whole]), 'outcome');
    }),
    { numRuns: FUZZ_RUNS * 5 },
  );
});
