import fc from 'fast-check';
import t from 'tap';
import { instantiateLlhttp, type LlhttpExports } from '../../lib/http/llhttp-module.js';
import { BodyReader } from '../../lib/http/message-parser.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { bytes, cutAt } from '../support/transport.js';

/**
 * `ChunkedBody` accepts and refuses what llhttp accepts and refuses, and finds the same data and the same end, wherever
 * the reads are cut.
 */

type Side = 'request' | 'response';

interface Outcome {
  /** `whole`, `partial` or `refused`. */
  readonly outcome: string;
  /** The position after the last byte of the body; -1 while it is incomplete. */
  readonly end: number;
  /** Not compared for a refused body: part of it may have been handed on before. */
  readonly content: string;
}

const PAUSED = 21;
const STALE = bytes('1\r\na\r\n0\r\n\r\n');

type Lenient = LlhttpExports & {
  llhttp_set_lenient_spaces_after_chunk_size(parser: number, enabled: number): void;
};

/** llhttp itself, which gets each body in one piece. */
class Reference {
  readonly #llhttp: Lenient;
  readonly #window: number;
  #content = '';
  #inBody = false;
  #ended = false;

  constructor() {
    const fine = (): number => 0;
    this.#llhttp = instantiateLlhttp({
      wasm_on_message_begin: fine,
      wasm_on_url: fine,
      wasm_on_status: fine,
      wasm_on_header_field: fine,
      wasm_on_header_value: fine,
      wasm_on_headers_complete: () => PAUSED,
      wasm_on_body: (_parser, at, length) => {
        this.#content += Buffer.from(this.#memory, at, length).toString('latin1');
        return 0;
      },
      wasm_on_message_complete: () => {
        this.#ended = this.#inBody;
        return PAUSED;
      },
    }) as Lenient;
    this.#window = this.#llhttp.malloc(64 * 1024);
  }

  read(side: Side, body: Buffer): Outcome {
    const llhttp = this.#llhttp;
    const line = side === 'request' ? 'PUT / HTTP/1.1' : 'HTTP/1.1 200 OK';
    const parser = llhttp.llhttp_alloc(side === 'request' ? 1 : 2);
    if (side === 'response') llhttp.llhttp_set_lenient_spaces_after_chunk_size(parser, 1);
    this.#content = '';
    this.#inBody = false;
    this.#ended = false;
    const head = bytes(`${line}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const { at } = this.#execute(parser, head);
    llhttp.llhttp_resume(parser);
    // llhttp may stop before the last LF.
    if (at < head.length) this.#execute(parser, head.subarray(at));
    this.#inBody = true;
    const { code, at: end } = this.#execute(parser, body);
    llhttp.llhttp_free(parser);
    if (this.#ended) return { outcome: 'whole', end, content: this.#content };
    return code === 0
      ? { outcome: 'partial', end: -1, content: this.#content }
      : { outcome: 'refused', end: -1, content: '' };
  }

  get #memory(): ArrayBuffer {
    return this.#llhttp.memory.buffer;
  }

  #execute(parser: number, piece: Buffer): { readonly code: number; readonly at: number } {
    new Uint8Array(this.#memory).set(piece, this.#window);
    const code = this.#llhttp.llhttp_execute(parser, this.#window, piece.length);
    const at = code === 0 ? piece.length : this.#llhttp.llhttp_get_error_pos(parser) - this.#window;
    return { code, at };
  }
}

const reference = new Reference();
const readers = {
  request: new BodyReader('request', 64 * 1024),
  response: new BodyReader('response', 64 * 1024),
};

/** The result of lb, each piece a read of its own. `wire` keeps the chunks, which must stand for the same body. */
function read(side: Side, pieces: readonly Buffer[], form: 'content' | 'wire' = 'content'): Outcome {
  const reader = readers[side];
  let content = '';
  let before = 0;
  reader.reset();
  reader.begin('chunked', 0, form, {
    droppedTrailers: null,
    onBodyBytes: (buffer, start, end) => {
      content += buffer.toString('latin1', start, end);
    },
    onTrailers: (fields) => {
      if (form === 'wire') content += `${fields}\r\n`;
    },
  });
  for (const piece of pieces) {
    // As in a read buffer: bytes of an older read lie before and after the piece.
    const buffer = Buffer.concat([STALE, piece, STALE]);
    const end = before + reader.read(buffer, STALE.length, STALE.length + piece.length) - STALE.length;
    before += piece.length;
    if (reader.refusal !== null) return { outcome: 'refused', end: -1, content: '' };
    if (reader.complete) return { outcome: 'whole', end, content };
  }
  return { outcome: 'partial', end: -1, content };
}

function fail(what: string, body: Buffer, got: Outcome, expected: Outcome): never {
  const text = JSON.stringify(body.toString('latin1'));
  throw new Error(`${what}: ${text}: ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
}

function same(what: string, body: Buffer, got: Outcome, expected: Outcome): void {
  const isSame =
    got.outcome === expected.outcome && got.end === expected.end && got.content === expected.content;
  if (!isSame) fail(what, body, got, expected);
}

/**
 * Cuts the body in two at every byte, and into single bytes; also reads the chunks that are handed on, which must be the
 * same body.
 */
function check(side: Side, body: Buffer, expected: Outcome): void {
  same('in one piece', body, read(side, [Buffer.from(body)]), expected);
  for (let at = 1; at < body.length; at++)
    same(`cut at ${at}`, body, read(side, cutAt(body, [at])), expected);
  const single = Array.from(body, (byte) => Buffer.from([byte]));
  same('byte by byte', body, read(side, single), expected);
  if (expected.outcome !== 'whole') return;
  for (const pieces of [[Buffer.from(body)], single.map((byte) => Buffer.from(byte))]) {
    const passed = bytes(read(side, pieces, 'wire').content);
    const again = reference.read(side, passed);
    same('handed on as chunks', body, { ...again, end: passed.length }, { ...expected, end: passed.length });
    if (/^[0-9a-fA-F]+[^0-9a-fA-F\r]/m.test(framingOf(passed))) throw new Error(`an extension: ${passed}`);
  }
}

/** Only the lines with sizes. */
function framingOf(body: Buffer): string {
  let lines = '';
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at);
    if (end === -1) break;
    const line = body.toString('latin1', at, end);
    lines += `${line}\r\n`;
    const size = Number.parseInt(line, 16);
    if (!(size > 0)) break;
    at = end + 2 + size + 2;
  }
  return lines;
}

const TOKEN = [..."!#$%&'*+-.^_`|~09AZaz"];
const text = (unit: readonly string[], maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...unit), minLength, maxLength });
const quoted = text(['a', '=', ';', ',', '\\"', '\\\\', '\\a', '\xff', '\x80'], 4).map(
  (inner) => `"${inner}"`,
);
const extension = fc
  .tuple(text(TOKEN, 3), fc.option(fc.oneof(text(TOKEN, 3), quoted), { nil: null }))
  .map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`));
const data = fc.oneof(
  text(['a', '\r', '\n', '0', ';', '\r\n'], 6, 1),
  fc.nat(400).map((length) => 'd'.repeat(length + 1)),
);
const size = fc.tuple(fc.nat(3), fc.boolean()).map(
  ([zeros, upper]) =>
    (length: number) =>
      '0'.repeat(zeros) + (upper ? length.toString(16).toUpperCase() : length.toString(16)),
);
const chunk = fc
  .tuple(data, size, fc.array(extension, { maxLength: 2 }))
  .map(
    ([content, sizeOf, extensions]) => `${sizeOf(content.length)}${extensions.join('')}\r\n${content}\r\n`,
  );
const trailer = fc.constantFrom('A: b\r\n', 'X-Name:\r\n', 'b:c \r\n');
const body = fc
  .tuple(
    fc.array(
      fc.oneof({ weight: 3, arbitrary: chunk }, { weight: 1, arbitrary: fc.constant('1;e\r\na\r\n') }),
      {
        maxLength: 5,
      },
    ),
    fc.array(extension, { maxLength: 1 }),
    fc.array(trailer, { maxLength: 2 }),
    fc.constantFrom('', 'GET / HTTP/1.1\r\n', '\r\n', 'x'),
  )
  .map(([chunks, extensions, trailers, behind]) => {
    const end = `0${extensions.join('')}\r\n${trailers.join('')}\r\n`;
    return chunks.join('') + end + behind;
  });

/** A byte is removed, inserted or replaced. Blanks are left out: lb accepts some that llhttp refuses. */
const BYTES = [...'0123fFgG;=,"\\ax:\0\x7f\x80\xff', '\r', '\n', '\r\n', '0\r\n', ';a', '"'];
const edit = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  fc.constantFrom('out', 'in', 'instead'),
  fc.constantFrom(...BYTES),
);
const damaged = fc.tuple(body, fc.array(edit, { maxLength: 3 })).map(([whole, edits]) => {
  let now = whole;
  for (const [where, how, what] of edits) {
    const at = Math.floor(where * now.length);
    now = now.slice(0, at) + (how === 'out' ? '' : what) + now.slice(how === 'in' ? at : at + 1);
  }
  return now;
});

const side = fc.constantFrom<Side>('request', 'response');

t.test('chunked bodies, valid or damaged, are read as llhttp reads them, wherever they are cut', async () => {
  fc.assert(
    fc.property(side, damaged, (from, whole) => {
      const sent = bytes(whole);
      const expected = reference.read(from, sent);
      // llhttp drops bits only from a size of more than 16 digits; lb refuses sizes from 14 digits on.
      if (/[1-9a-fA-F][0-9a-fA-F]{13}/.test(whole)) return;
      check(from, sent, expected);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

/** An input that leads to each state of the reader. */
const BEGINNINGS = [
  '', '1', '01', '1;', '1;a', '1;a=', '1;a=b', '1;a="', '1;a="b', '1;a="\\', '1;a="b"', '1\r', '1;a\r', '1\r\n', '1\r\na',
  '1\r\na\r', '1\r\na\r\n', '0', '0\r', '0\r\n', '0\r\n\r', '0;a\r\n',
]; // biome-ignore format: one table

t.test(
  'in each state every byte is accepted or refused as by llhttp, except blanks around extensions',
  async (t) => {
    for (const from of ['request', 'response'] as const) {
      for (const beginning of from === 'request' ? BEGINNINGS : [...BEGINNINGS, '1 ', '0  ']) {
        const differing: number[] = [];
        for (let byte = 0; byte < 256; byte++) {
          const isBlank = byte === 0x20 || byte === 0x09;
          if (isBlank && /^[01]+ *(;[^"\r]*|;a="b"|)$/.test(beginning)) continue;
          const sent = Buffer.concat([bytes(beginning), Buffer.from([byte])]);
          const got = read(from, [Buffer.from(sent)]);
          const expected = reference.read(from, sent);
          if (got.outcome !== expected.outcome || got.content !== expected.content) differing.push(byte);
        }
        t.strictSame(differing, [], `${from} after ${JSON.stringify(beginning)}`);
      }
    }
  },
);

t.test('blanks are accepted around the parts of a chunk extension, and nowhere else', async (t) => {
  const of = (line: string, from: Side): string => {
    const sent = bytes(`${line}\r\nabc\r\n0\r\n\r\n`);
    const whole = read(from, [Buffer.from(sent)]);
    check(from, sent, whole);
    return whole.outcome === 'whole' ? whole.content : whole.outcome;
  };
  const good = [
    '3 ;a',
    '3\t;a',
    '3; a',
    '3 ; \ta',
    '3;a =b',
    '3;a= b',
    '3;a \t= \t"b" ;c',
    '3;a;b ;c',
    '3;a=b ;c=d',
  ];
  for (const line of good)
    for (const from of ['request', 'response'] as const) t.equal(of(line, from), 'abc', `${from} ${line}`);
  const bad = [
    ' 3',
    '\t3',
    '3\t',
    '3;a ',
    '3;a=b ',
    '3;a b',
    '3;a=b c',
    '3;a= ',
    '3; ',
    '3;a="b" ',
    '3 3',
    '3 a',
  ];
  for (const line of bad)
    for (const from of ['request', 'response'] as const)
      t.equal(of(line, from), 'refused', `${from} ${line}`);
});

t.test('a server may pad its chunk sizes with spaces, a client may not', async (t) => {
  const padded = '3  \r\nabc\r\n0  \r\n\r\n';
  t.equal(read('response', [bytes(padded)]).content, 'abc');
  t.equal(read('request', [bytes(padded)]).outcome, 'refused');
  t.equal(read('response', [bytes(padded)], 'wire').content, '3\r\nabc\r\n0\r\n\r\n');
});

t.test(
  'a chunk size of 13 digits is accepted, one of 14 refused, and leading zeros do not count',
  async (t) => {
    for (const from of ['request', 'response'] as const) {
      t.equal(read(from, [bytes('fffffffffffff\r\nab')]).outcome, 'partial');
      t.equal(read(from, [bytes(`${'0'.repeat(100)}2\r\nab\r\n0\r\n\r\n`)]).content, 'ab');
      t.equal(read(from, [bytes('10000000000000\r\nab')]).outcome, 'refused');
      t.equal(read(from, [bytes('1000000'), bytes('0000000')]).outcome, 'refused');
    }
  },
);

t.test('ten thousand tiny chunks in a read are handed on in one piece', async (t) => {
  for (const chunk of ['1;e\r\na\r\n', '1\r\na\r\n', '2 ; n="v"\r\nab\r\n']) {
    for (const form of ['wire', 'content'] as const) {
      const reader = readers.request;
      const sent = bytes(chunk.repeat(10_000));
      let pieces = 0;
      let text = '';
      reader.reset();
      reader.begin('chunked', 0, form, {
        droppedTrailers: null,
        onBodyBytes: (buffer, start, end) => {
          pieces++;
          text += buffer.toString('latin1', start, end);
        },
        onTrailers: (fields) => {
          text += `${fields}\r\n`;
        },
      });
      reader.read(sent, 0, sent.length);
      t.equal(pieces, 1, `${chunk} ${form}`);
      const kept = form === 'wire' ? chunk.replace(/ ?;[^\r]*/, '') : chunk.replace(/^[^\n]*\n|\r\n$/g, '');
      t.ok(text === kept.repeat(10_000));
    }
  }
});

t.test('long chunks with extensions are not moved, and arrive unchanged beside short ones', async (t) => {
  const long = 'l'.repeat(10_000);
  const sent = `2710;e\r\n${long}\r\n1;e\r\na\r\n2710;e\r\n${long}\r\n0;x\r\n\r\n`;
  const transport = sent.replace(/;./g, '');
  for (const at of [1, 6, 8, 5000, 10_010, 10_012, 10_016, 10_020, sent.length - 5]) {
    t.ok(read('request', cutAt(bytes(sent), [at]), 'wire').content === transport, `cut at ${at}`);
    t.ok(read('request', cutAt(bytes(sent), [at])).content === `${long}a${long}`, `cut at ${at}`);
  }
});
