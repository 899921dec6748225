import fc from 'fast-check';
import t from 'tap';
import { readCorpus, type Sample } from '../support/corpus.js';
import { FUZZ_RUNS } from '../support/fuzz.js';
import { cutAt, type ReadOptions, RequestReader, ResponseReader, type Seen } from '../support/transport.js';

/**
 * A message is parsed alike, however the network cuts it. One parser reads all samples, so that state left over from one
 * of them would show in the next.
 */

interface Subject {
  readonly name: string;
  readonly bytes: Buffer;
  readonly read: (pieces: readonly Buffer[]) => string;
  /** The result when it arrives in one read. */
  readonly whole: string;
}

/**
 * Everything that must not depend on the cuts. How much of a body was handed on before it was refused may depend on them.
 */
function outcome(seen: Seen): string {
  const refused = typeof seen.outcome === 'number';
  const messages = seen.messages.map((message) =>
    refused && message.end === -1 ? { ...message, body: '', contentBytes: 0 } : message,
  );
  const inHead = messages.every(({ end }) => end !== -1);
  return JSON.stringify([messages, seen.outcome, inHead ? seen.detail : '']);
}

function subjects(): Subject[] {
  const requests = new RequestReader();
  const responses = new ResponseReader();
  const subject = (sample: Sample, what: string, readIt: (pieces: readonly Buffer[]) => Seen): Subject => {
    const read = (pieces: readonly Buffer[]): string => outcome(readIt(pieces));
    return { name: `${sample.name} (${what})`, bytes: sample.bytes, read, whole: read([sample.bytes]) };
  };
  const answers = (sample: Sample, what: string, options: ReadOptions): Subject =>
    subject(sample, what, (pieces) => responses.read(pieces, { ends: true, ...options }));
  return [
    ...readCorpus('requests').map((sample) =>
      subject(sample, 'request', (pieces) => requests.read(pieces, { form: 'wire' })),
    ),
    ...readCorpus('responses').flatMap((sample) => [
      answers(sample, 'response', { form: 'wire' }),
      answers(sample, 'response for an HTTP/1.0 client', { form: 'content' }),
    ]),
  ];
}

const SUBJECTS = subjects();

function differing(cut: (bytes: Buffer) => Buffer[]): string[] {
  return SUBJECTS.filter(({ bytes, read, whole }) => read(cut(bytes)) !== whole).map(({ name }) => name);
}

t.test('messages cut in two at any byte are parsed alike', async (t) => {
  for (const { name, bytes, read, whole } of SUBJECTS) {
    const wrong: number[] = [];
    for (let at = 1; at < bytes.length; at++) if (read(cutAt(bytes, [at])) !== whole) wrong.push(at);
    t.same(wrong, [], name);
  }
});

t.test('messages that arrive one byte at a time are parsed alike', async (t) => {
  t.same(
    differing((bytes) => Array.from(bytes, (byte) => Buffer.from([byte]))),
    [],
  );
});

t.test('messages cut in three, with a short middle piece, are parsed alike', async (t) => {
  for (const length of [1, 2, 3, 5]) {
    const wrong: string[] = [];
    for (const { name, bytes, read, whole } of SUBJECTS) {
      const step = Math.max(1, Math.floor(bytes.length / 60));
      for (let at = 1; at < bytes.length; at += step)
        if (read(cutAt(bytes, [at, at + length])) !== whole) wrong.push(`${name} at ${at}`);
    }
    t.same(wrong, [], `${length} bytes`);
  }
});

t.test('messages cut into any pieces are parsed alike', async () => {
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 8 });
  fc.assert(
    fc.property(cuts, (fractions) => {
      const wrong = differing((bytes) =>
        cutAt(
          bytes,
          fractions.map((part) => Math.floor(part * bytes.length)),
        ),
      );
      if (wrong.length > 0) throw new Error(wrong.join(', '));
    }),
    { numRuns: FUZZ_RUNS },
  );
});
