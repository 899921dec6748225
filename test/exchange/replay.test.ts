import t from 'tap';
import { Replay, replayBytes } from '../../lib/exchange/relay.js';

function text(replay: Replay): string {
  return replay.bytes.toString('latin1');
}

/** A piece within a read buffer, with other bytes around it. */
function replayOf(limit: number, repeatable = true): Replay {
  const replay = new Replay();
  replay.begin(limit, repeatable);
  return replay;
}

function give(keep: (buffer: Buffer, start: number, end: number) => void, piece: string): void {
  const buffer = Buffer.from(`##${piece}##`);
  keep(buffer, 2, 2 + piece.length);
  buffer.fill('?');
}

t.test('bytes that wait for a server are copied in order, even beyond the limit', async (t) => {
  const replay = replayOf(4);
  for (const piece of ['abc', 'def', 'g']) give((...at) => replay.keep(...at), piece);
  t.equal(text(replay), 'abcdefg');
  t.ok(replay.whole);
});

t.test('bytes that are sent are kept as long as all of them fit', async (t) => {
  const replay = replayOf(4);
  for (const piece of ['ab', 'cd']) give((...at) => replay.keepSent(...at), piece);
  t.equal(text(replay), 'abcd');
  t.ok(replay.whole);
  give((...at) => replay.keepSent(...at), 'e');
  t.equal(text(replay), '');
  t.notOk(replay.whole);
  give((...at) => replay.keepSent(...at), 'f');
  t.equal(text(replay), '', 'a body without its beginning is not kept');
});

t.test('a first piece that does not fit leaves nothing to send again', async (t) => {
  const replay = replayOf(4);
  give((...at) => replay.keepSent(...at), 'abcde');
  give((...at) => replay.keepSent(...at), 'f');
  t.equal(text(replay), '');
  t.notOk(replay.whole);
});

t.test('a request that must not be sent twice is not kept after it was sent', async (t) => {
  const replay = replayOf(4, false);
  replay.sent();
  t.ok(replay.whole, 'there was no body yet');
  give((...at) => replay.keep(...at), 'ab');
  t.equal(text(replay), 'ab');
  replay.sent();
  t.notOk(replay.whole);
  t.equal(text(replay), '');
  give((...at) => replay.keepSent(...at), 'c');
  t.equal(text(replay), '');
});

t.test('after reset the replay is ready for another request', async (t) => {
  const replay = replayOf(4);
  give((...at) => replay.keep(...at), 'ab');
  replay.reset();
  replay.begin(4, true);
  t.ok(replay.whole);
  give((...at) => replay.keepSent(...at), 'cdef');
  t.equal(text(replay), 'cdef');
});

t.test(
  'a kept body takes as much memory as its bytes, however small its pieces, and is counted',
  async (t) => {
    const limit = 64 * 1024;
    const before = replayBytes();
    const replay = replayOf(limit);
    for (let i = 0; i < limit; i++) give((...at) => replay.keepSent(...at), 'x');
    t.ok(replay.whole);
    t.equal(replay.bytes.length, limit);
    t.equal(replayBytes() - before, limit);
    give((...at) => replay.keepSent(...at), 'y');
    t.equal(replayBytes(), before, 'a body that cannot be sent again is not kept');
    give((...at) => replay.keepSent(...at), 'z');
    t.equal(replayBytes(), before);
    replay.reset();
    t.equal(replayBytes(), before);
  },
);
