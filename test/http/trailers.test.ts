import t from 'tap';
import { FieldNames } from '../../lib/http/fields.js';
import type { BodyForm, BodyListener } from '../../lib/http/flow.js';
import { encodeTrailers } from '../../lib/http/trailers.js';
import { bytes, cutAt, RequestReader, ResponseReader } from '../support/transport.js';

interface Heard {
  body: string;
  /** The argument of each call. */
  readonly trailers: string[];
}

const HEADS = {
  request: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
  response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
} as const;

/** Reads a chunked body with `section` after its last chunk, cut at `positions` of the body. */
function read(
  side: keyof typeof HEADS,
  form: BodyForm,
  section: string,
  dropped: FieldNames | null = null,
  positions: readonly number[] = [],
): Heard {
  const { parser } = side === 'request' ? new RequestReader() : new ResponseReader();
  const head = bytes(HEADS[side]);
  parser.reset();
  parser.readHead(head, 0, head.length);
  const heard: Heard = { body: '', trailers: [] };
  const listener: BodyListener = {
    droppedTrailers: dropped,
    onBodyBytes(buffer, start, end) {
      heard.body += buffer.toString('latin1', start, end);
    },
    onTrailers(fields) {
      heard.trailers.push(fields);
    },
  };
  parser.body.begin('chunked', 0, form, listener);
  for (const piece of cutAt(bytes(`2\r\nhi\r\n0\r\n${section}\r\n`), positions)) {
    const copy = Buffer.from(piece);
    parser.body.read(copy, 0, copy.length);
  }
  if (!parser.body.complete) throw new Error(parser.body.refusal?.detail ?? 'the body is not complete');
  return heard;
}

t.test('trailers are handed on as fields after the body, whether chunks are kept or not', async (t) => {
  const section = 'X-Sum: 1\r\ngrpc-status: 0\r\n';
  for (const side of ['request', 'response'] as const) {
    t.same(read(side, 'wire', section), { body: '2\r\nhi\r\n0\r\n', trailers: [section] });
    t.same(read(side, 'content', section), { body: 'hi', trailers: [section] });
    for (let at = 1; at < 30; at++)
      t.same(read(side, 'content', section, null, [at]), { body: 'hi', trailers: [section] }, `cut at ${at}`);
  }
});

t.test('for a body without a trailer section, onTrailers is not called', async (t) => {
  t.same(read('response', 'content', ''), { body: 'hi', trailers: [] });
  t.same(read('response', 'wire', ''), { body: '2\r\nhi\r\n0\r\n\r\n', trailers: [] });
});

t.test('onTrailers is called even when no trailer of the section may pass', async (t) => {
  for (const form of ['wire', 'content'] as const)
    t.same(read('request', form, 'Age: 7\r\nHost: evil\r\n').trailers, [''], form);
  const dropped = new FieldNames(['x-mine']);
  t.same(read('response', 'content', 'X-Mine: 1\r\nX-Ok: 2\r\n', dropped).trailers, ['X-Ok: 2\r\n']);
});

t.test('trailers are encoded as the lines between the last chunk and an empty line', async (t) => {
  t.equal(encodeTrailers('X-Sum: 1\r\n').toString('latin1'), 'X-Sum: 1\r\n\r\n');
  t.equal(encodeTrailers('').toString('latin1'), '\r\n');
});
