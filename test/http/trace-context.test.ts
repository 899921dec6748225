import t from 'tap';
import { readTraceParent, readTraceState } from '../../lib/http/trace-context.js';
import { requestHead } from './heads.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

function headWith(...lines: readonly string[]) {
  return requestHead(`GET / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
}

function parentOf(value: string) {
  return readTraceParent(headWith(`traceparent: ${value}`));
}

t.test('a traceparent of version 00 is read, with the flags that have a meaning', async (t) => {
  t.same(parentOf(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, flags: 1 });
  t.same(parentOf(`00-${TRACE}-${SPAN}-00`), { traceId: TRACE, spanId: SPAN, flags: 0 });
  t.same(parentOf(`00-${TRACE}-${SPAN}-ff`), { traceId: TRACE, spanId: SPAN, flags: 3 });
  t.same(readTraceParent(headWith(`TraceParent:00-${TRACE}-${SPAN}-01  `))?.traceId, TRACE);
});

t.test('a traceparent that breaks the rules begins a new trace', async (t) => {
  const bad = [
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-001`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN.toUpperCase()}-01`,
    `00-${TRACE}-${SPAN}-0A`,
    `0A-${TRACE}-${SPAN}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE}-${SPAN}0-01`,
    `00-${TRACE.slice(1)}g-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0.`,
    `.0-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01what`,
    `cc-${TRACE}-${SPAN}-01.what`,
  ];
  for (const value of bad) t.equal(parentOf(value), null, value);
  t.equal(readTraceParent(headWith()), null);
});

t.test('a later version is read as far as version 00 goes', async (t) => {
  t.same(parentOf(`cc-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, flags: 1 });
  t.same(parentOf(`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`)?.spanId, SPAN);
  t.same(parentOf(`cc-${TRACE}-${SPAN}-01-`)?.spanId, SPAN);
});

t.test('several traceparent fields begin a new trace, even if they are alike', async (t) => {
  const line = `traceparent: 00-${TRACE}-${SPAN}-01`;
  t.equal(readTraceParent(headWith(line, line)), null);
  t.equal(readTraceParent(headWith(line, 'traceparent:')), null);
});

t.test('a tracestate passes as it came, its fields joined in their order', async (t) => {
  t.equal(readTraceState(headWith('tracestate: foo=1,bar=2')), 'foo=1,bar=2');
  t.equal(readTraceState(headWith('tracestate: foo=1 \t , \t bar=2, ')), 'foo=1 \t , \t bar=2,');
  t.equal(
    readTraceState(headWith('tracestate: foo=1', 'X: y', 'TraceState: rojo=1,congo=2')),
    'foo=1,rojo=1,congo=2',
  );
  t.equal(readTraceState(headWith('tracestate: foo=1', 'tracestate:', 'tracestate: bar=2')), 'foo=1,bar=2');
  t.equal(
    readTraceState(headWith('tracestate: t61rcwkgmze@dd=a b-c!~,0x/*_-=1')),
    't61rcwkgmze@dd=a b-c!~,0x/*_-=1',
  );
  t.equal(readTraceState(headWith('tracestate:')), '');
  t.equal(readTraceState(headWith()), '');
});

t.test('a tracestate that cannot be read is dropped as a whole', async (t) => {
  const bad = [
    'foo',
    'foo=',
    '=1',
    'foo =1',
    'FOO=1',
    'foo.bar=1',
    'foo@=1',
    '@foo=1',
    'foo@@bar=1',
    'foo@bar@baz=1',
    'foo=1;bar=2',
    'foo=bar=baz',
    'foo=\u00e4',
    `${'a'.repeat(257)}=1`,
    `${'t'.repeat(242)}@v=1`,
    `t@${'v'.repeat(15)}=1`,
    `foo=${'v'.repeat(257)}`,
    Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(','),
  ];
  for (const value of bad) t.equal(readTraceState(headWith(`tracestate: ok=1,${value}`)), '', value);
});

t.test('a long tracestate loses its long members, then the last ones', async (t) => {
  const members = Array.from({ length: 30 }, (_, index) => `k${index}=${'v'.repeat(20)}`);
  const kept = readTraceState(headWith(`tracestate: ${members.join(', ')}`));
  t.ok(kept.length <= 512, `${kept.length} characters`);
  t.equal(kept, members.slice(0, kept.split(',').length).join(','));
  const long = `big=${'v'.repeat(130)}`;
  const few = Array.from({ length: 16 }, (_, index) => `k${index}=${'v'.repeat(20)}`);
  t.equal(readTraceState(headWith(`tracestate: ${long},${few.join(',')}`)), few.join(','));
  const whole = `a=${'v'.repeat(250)},b=${'w'.repeat(256)}`;
  t.equal(whole.length <= 512, true);
  t.equal(readTraceState(headWith(`tracestate: ${whole}`)), whole);
});
