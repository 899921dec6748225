import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import t from 'tap';
import { extractModule } from '../../lib/http/llhttp-module.js';

/** Records the memory of the WebAssembly instance that the binding makes: it must not grow. */
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: {
    Instance: new (module: object, imports: object) => { exports: { memory?: { buffer: ArrayBuffer } } };
  };
};
const { Instance } = wasm;
let memory: { readonly buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
wasm.Instance = class extends Instance {
  constructor(module: object, imports: object) {
    super(module, imports);
    if (this.exports.memory !== undefined) memory = this.exports.memory;
  }
};
const { LlhttpParser } = await import('../../lib/http/llhttp.js');
const { bytes, cutAt, RequestReader, ResponseReader } = await import('../support/transport.js');
wasm.Instance = Instance;

const GET = 'GET /path HTTP/1.1\r\nHost: a.example\r\nX-Name: value\r\n\r\n';
const POST =
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n';
const WIDE = { headBytes: 1024 * 1024, fields: 2000, targetBytes: 512 * 1024 };

t.test('an llhttp module other than the expected one is not started', async (t) => {
  const source = readFileSync(createRequire(import.meta.url).resolve('llhttp-wasm'), 'utf8');
  t.equal(extractModule(source).subarray(0, 4).toString('latin1'), '\0asm');
  const at = source.indexOf('"AGFzb') + 5000;
  const other = source.slice(0, at) + (source[at] === 'A' ? 'B' : 'A') + source.slice(at + 1);
  t.throws(() => extractModule(other), /llhttp-wasm is not version 1\.0\.3.*npm ci/);
  t.throws(() => extractModule('module.exports = {}'), /llhttp-wasm is not version 1\.0\.3/);
});

t.test('parsers continue after the WebAssembly memory has grown', async (t) => {
  const reader = new RequestReader();
  const { parser } = reader;
  const half = bytes(GET.slice(0, 30));
  const rest = bytes(GET.slice(30));
  parser.reset();
  parser.readHead(half, 0, half.length);
  const before = memory.buffer;
  const parsers = Array.from({ length: 20_000 }, () => new LlhttpParser('request'));
  t.not(memory.buffer, before, 'it did grow');
  t.equal(before.byteLength, 0, 'and detached the old view');
  parser.readHead(rest, 0, rest.length);
  t.ok(parser.complete);
  t.same([parser.head.target, parser.head.valueAt(1)], ['/path', 'value']);
  t.equal(reader.read([bytes(POST)]).messages[0]?.body, 'hello');
  for (const spare of parsers) spare.free();
});

t.test('a parser that is reset 200,000 times needs no more memory', async (t) => {
  const offsets = new Int32Array(64);
  const head = bytes(GET);
  const parser = new LlhttpParser('request');
  const before = memory.buffer.byteLength;
  for (let i = 0; i < 200_000; i++) {
    parser.reset(offsets);
    parser.executeHead(head, 0, head.length, 0);
  }
  t.ok(parser.headComplete);
  t.equal(parser.fieldCount, 2);
  t.equal(memory.buffer.byteLength, before);
  parser.free();
});

t.test('200,000 parsers made and freed, in any state, need no more memory', async (t) => {
  const offsets = new Int32Array(64);
  const piece = bytes(GET.slice(0, 40));
  const before = memory.buffer.byteLength;
  for (let i = 0; i < 200_000; i++) {
    const parser = new LlhttpParser(i % 2 === 0 ? 'request' : 'response');
    if (i % 8 === 0) {
      parser.reset(offsets);
      parser.executeHead(piece, 0, piece.length, 0);
    }
    parser.free();
  }
  t.equal(memory.buffer.byteLength, before);
});

t.test('requests hold a parser of llhttp only while their head or their trailers come in', async (t) => {
  const before = memory.buffer.byteLength;
  const whole = bytes(GET);
  const half = whole.subarray(0, 30);
  const chunked = bytes('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  const bad = bytes('GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n');
  const kept = [];
  for (let i = 0; i < 5_000; i++) {
    for (const head of [whole, half, chunked, bad]) {
      const { parser } = new RequestReader();
      parser.readHead(head, 0, head.length);
      if (head === half) parser.reset();
      else if (i % 10 === 0) kept.push(parser);
    }
  }
  t.equal(memory.buffer.byteLength, before);
  t.equal(kept.length, 1500);
});

t.test('parsers that alternate in the middle of messages do not affect each other', async (t) => {
  const readers = Array.from({ length: 5 }, () => new RequestReader().parser);
  const texts = readers.map((_, i) =>
    bytes(`GET /${i} HTTP/1.1\r\nHost: h${i}\r\nX: ${'v'.repeat(i)}\r\n\r\n`),
  );
  for (const parser of readers) parser.reset();
  for (let at = 0; at < 60; at++) {
    readers.forEach((parser, i) => {
      const text = texts[i] as Buffer;
      if (at < text.length) parser.readHead(text, at, at + 1);
    });
  }
  readers.forEach((parser, i) => {
    t.same([parser.complete, parser.head.target, parser.head.authority], [true, `/${i}`, `h${i}`]);
  });
});

t.test(
  'heads longer than the WASM window are parsed alike wherever they are cut near its edges',
  async (t) => {
    const fields = Array.from({ length: 1500 }, (_, i) => `X-${i}: ${'v'.repeat(i % 97)}\r\n`).join('');
    const text = `GET /${'p'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
    const reader = new RequestReader(WIDE);
    const whole = reader.read([bytes(text)]);
    t.equal(whole.outcome, 'whole');
    t.equal(whole.messages[0]?.fields.length, 1501);
    t.same(whole.messages[0]?.fields[1500], ['X-1499', 'v'.repeat(1499 % 97)]);
    for (const at of [1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 70_020, 74_116, text.length - 1])
      t.same(reader.read(cutAt(bytes(text), [at])), whole, `cut at ${at}`);
  },
);

t.test('bodies of many chunks, and of chunks longer than the WASM window, are complete', async (t) => {
  const big = 'b'.repeat(200_000);
  const many = Array.from({ length: 3000 }, (_, i) => `1\r\n${i % 10}\r\n`).join('');
  const text = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n${big}\r\n${many}0\r\n\r\n`;
  const reader = new ResponseReader(WIDE);
  const whole = reader.read([bytes(text)]);
  const content = big + Array.from({ length: 3000 }, (_, i) => i % 10).join('');
  t.equal(whole.outcome, 'whole');
  t.ok(whole.messages[0]?.body === content);
  t.equal(whole.messages[0]?.contentBytes, content.length);
  for (const at of [60, 65_535, 65_536, 65_537, 131_072, 200_060, 201_001, text.length - 3])
    t.ok(reader.read(cutAt(bytes(text), [at])).messages[0]?.body === content, `cut at ${at}`);
});

t.test('a body in one read is handed on in one piece, unchanged', async (t) => {
  const { parser } = new RequestReader();
  const pieces: string[] = [];
  const collect = {
    droppedTrailers: null,
    onTrailers: (fields: string): void => {
      pieces.push(`${fields}\r\n`);
    },
    onBodyBytes: (buffer: Buffer, start: number, end: number): void => {
      pieces.push(buffer.toString('latin1', start, end));
    },
  };
  const run = (body: string): string[] => {
    const text = bytes(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    pieces.length = 0;
    parser.reset();
    const at = parser.readHead(text, 0, text.length);
    parser.body.begin('chunked', 0, 'wire', collect);
    t.equal(parser.body.read(text, at, text.length), text.length);
    t.ok(parser.body.complete);
    return pieces;
  };
  const plain = '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n';
  t.same(run(plain), [plain]);
  t.same(run('5;a\r\nhello\r\n0\r\n\r\n'), ['5\r\nhello\r\n0\r\n\r\n'], 'an extension is left out');
});

t.test('framing is bounded wherever the reads are cut', async (t) => {
  const start = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const outcome = (length: number, behind: string, at: number[]): string | number =>
    new RequestReader(WIDE).read(cutAt(bytes(`${start}0;${'x'.repeat(length)}${behind}`), at)).outcome;
  const limit = 16 * 1024;
  for (const behind of ['\r\n\r\n', '\r\nA: b\r\n\r\n']) {
    for (const cut of [
      [],
      [60],
      [limit],
      [limit + start.length - 1],
      [100, 5000, limit + start.length + 20],
    ]) {
      t.equal(outcome(limit - 10, behind, cut), 'whole');
      t.equal(outcome(limit + 10, behind, cut), 400);
    }
  }
});
