import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { pattern } from '../../fixtures/pattern.js';
import type { RawConnection } from '../../fixtures/raw-server.js';
import { type Started, startBalancer, untilCollected } from '../support/balancer.js';
import type { RawClient } from '../support/client.js';
import { inFlight, nothingIsLeft } from '../support/leaks.js';
import { chunked, origin, readRequest } from '../support/origin.js';
import { SWITCHED_WORKERS } from '../support/thread-switch.js';
import { OVER_TLS } from '../support/tls-switch.js';

// Over TLS each connection costs ten times as much.
const RUNS = Number(process.env.LB_FUZZ_RUNS ?? (OVER_TLS ? 100 : 300));
t.setTimeout(120_000);

interface Request {
  readonly method: string;
  /** Bytes of its body, and its framing; GET and HEAD have none. */
  readonly up: number;
  readonly framing: 'length' | 'chunked';
  readonly down: number;
  readonly answer: 'length' | 'chunked' | 'close';
  /** What the server does after its answer. */
  readonly behind: 'nothing' | 'end' | 'surplus';
}

interface Session {
  readonly requests: readonly Request[];
  /** All requests at once, or each after the previous answer. */
  readonly pipelined: boolean;
  /** How the last request ends the connection: by a field, by its version, or by a FIN after it. */
  readonly ending: 'none' | 'field' | 'version' | 'fin';
  /** The client disconnects after this share of its bytes. */
  readonly abortAt: number | null;
  /** Sizes of the writes, used in rotation. */
  readonly pieces: readonly number[];
}

const size = fc.oneof(
  { weight: 3, arbitrary: fc.nat(200) },
  fc.constantFrom(0, 1, 16_383, 16_384, 65_535, 65_536),
  fc.nat(150_000),
);
const request: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE'),
  up: size,
  framing: fc.constantFrom('length', 'chunked'),
  down: size,
  answer: fc.constantFrom('length', 'chunked', 'close'),
  behind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('nothing' as const) },
    fc.constantFrom('end', 'surplus'),
  ),
});
const session: fc.Arbitrary<Session> = fc.record({
  requests: fc.array(request, { minLength: 1, maxLength: 6 }),
  pipelined: fc.boolean(),
  ending: fc.constantFrom('none', 'none', 'field', 'version', 'fin'),
  abortAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 4 }),
  pieces: fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1000, max: 90_000 })), {
    minLength: 1,
    maxLength: 4,
  }),
});

/** What the server reports as received, and the client knows to have sent. */
function summary(id: string, method: string, body: Buffer, down: number): Buffer {
  const sum = createHash('sha1').update(body).digest('hex');
  return Buffer.concat([Buffer.from(`${id} ${method} ${body.length} ${sum}\n`), pattern(down)]);
}

async function echo(connection: RawConnection): Promise<void> {
  for (;;) {
    const { head, body } = await readRequest(connection);
    const [method = '', target = ''] = head.split(' ');
    const [, id = '', down = '', answer = '', behind = ''] = target.split('/');
    const bytes = summary(id, method, body, Number(down));
    // Only surplus bytes in the same read as the answer can be told from the answer to the next request.
    const surplus = behind === 'surplus' && answer !== 'close' && Number(down) < 1000;
    const closes = !surplus && (behind !== 'nothing' || answer === 'close');
    let answerHead = `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n`;
    if (answer === 'length') answerHead += `Content-Length: ${bytes.length}\r\n`;
    else if (answer === 'chunked') answerHead += 'Transfer-Encoding: chunked\r\n';
    if (closes) answerHead += 'Connection: close\r\n';
    const content = answer === 'chunked' ? chunked(bytes, 4099) : bytes;
    await connection.write(
      Buffer.concat([
        Buffer.from(`${answerHead}\r\n`),
        method === 'HEAD' ? Buffer.alloc(0) : content,
        Buffer.from(surplus ? 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison' : ''),
      ]),
    );
    if (closes) {
      connection.end();
      await connection.readToEnd();
      return;
    }
    if (surplus) {
      if ((await connection.readToEnd()).length > 0) throw new Error('a request after surplus bytes');
      connection.end();
      return;
    }
  }
}

let ids = 0;

class Run {
  readonly #client: RawClient;
  readonly #session: Session;
  readonly #ids: string[] = [];

  constructor(client: RawClient, session: Session) {
    this.#client = client;
    this.#session = session;
  }

  async play(): Promise<void> {
    const { requests, pipelined, abortAt, ending } = this.#session;
    const all = requests.map((request, index) => this.#bytes(request, index === requests.length - 1));
    if (abortAt !== null) {
      const bytes = Buffer.concat(all);
      await this.#send(bytes.subarray(0, Math.floor(bytes.length * abortAt)));
      return this.#client.reset();
    }
    if (pipelined) {
      const sent = this.#send(Buffer.concat(all)).then(() => this.#finish());
      for (const index of requests.keys()) await this.#check(index);
      await sent;
    } else {
      for (const [index, bytes] of all.entries()) {
        await this.#send(bytes);
        if (index === all.length - 1) this.#finish();
        await this.#check(index);
      }
    }
    if (ending !== 'none' && (await this.#client.toEnd()) !== '')
      throw new Error('bytes after the last answer');
    if (this.#client.received !== '') throw new Error(`surplus bytes: ${this.#client.received}`);
    this.#client.destroy();
  }

  #finish(): void {
    if (this.#session.ending === 'fin') this.#client.end();
  }

  #bytes(request: Request, last: boolean): Buffer {
    const { method, up, down, answer, behind } = request;
    const id = String(ids++);
    this.#ids.push(id);
    const { ending } = this.#session;
    const old = last && ending === 'version';
    const framing = old ? 'length' : request.framing;
    const body = hasBody(request) ? pattern(up) : Buffer.alloc(0);
    let head = `${method} /${id}/${down}/${answer}/${behind} HTTP/1.${old ? 0 : 1}\r\nHost: a\r\n`;
    if (last && ending === 'field') head += 'Connection: close\r\n';
    if (hasBody(request))
      head += framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${up}\r\n`;
    const content = hasBody(request) && framing === 'chunked' ? chunked(body, 3001) : body;
    return Buffer.concat([Buffer.from(`${head}\r\n`), content]);
  }

  async #send(bytes: Buffer): Promise<void> {
    const { pieces } = this.#session;
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      // Tiny writes only for the first few hundred bytes: it is the heads that are worth splitting.
      const length = turn < 40 ? (pieces[turn % pieces.length] as number) : 50_000;
      this.#client.send(bytes.subarray(at, at + length));
      at += length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #check(index: number): Promise<void> {
    const request = this.#session.requests[index] as Request;
    const last = index === this.#session.requests.length - 1;
    const toEnd = last && this.#session.ending === 'version' && request.answer !== 'length';
    const { method, up, down } = request;
    const id = this.#ids[index] as string;
    let { status, head, body } = await this.#client.response(method === 'HEAD');
    if (toEnd && method !== 'HEAD') body += await this.#client.toEnd();
    const expected = summary(id, method, hasBody(request) ? pattern(up) : Buffer.alloc(0), down);
    if (status !== 200 || !head.includes(`\r\nX-Id: ${id}\r\n`)) throw new Error(`answer to ${id}: ${head}`);
    if (body !== (method === 'HEAD' ? '' : expected.toString('latin1')))
      throw new Error(`body of ${id}: ${body}`);
  }
}

function hasBody({ method }: Request): boolean {
  return method === 'POST' || method === 'PUT';
}

/** With several threads their figures come one after another. */
async function settled({ balancer }: Started): Promise<void> {
  const isNothingLeft = () => Object.values(inFlight()).every((count) => count === 0);
  await untilCollected(balancer, () => balancer.clientCount === 0);
  if (SWITCHED_WORKERS > 1) await untilCollected(balancer, isNothingLeft).catch(() => {});
  if (!isNothingLeft()) throw new Error(`left: ${JSON.stringify(inFlight())}`);
}

/** In a pipeline, surplus bytes that look like a response would be the answer to the next request, so they are left out. */
function unpoisoned(session: Session): Session {
  const requests = session.requests.map((request) => ({
    ...request,
    behind: request.behind === 'surplus' ? ('nothing' as const) : request.behind,
  }));
  return { ...session, requests };
}

async function everyAnswerBelongs(t: Test, started: Started, sessions: fc.Arbitrary<Session>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(sessions, { minLength: 1, maxLength: 4 }), async (sessions) => {
      const clients = await Promise.all(sessions.map(() => started.connect()));
      await Promise.all(
        sessions.map((session, index) => new Run(clients[index] as RawClient, session).play()),
      );
      for (const client of clients) client.destroy();
      await settled(started);
    }),
    { numRuns: RUNS },
  );
  t.pass(`${RUNS} runs`);
}

for (const means of ['fast', 'documented'] as const) {
  t.test(`${means} sockets: every answer belongs to its own request`, async (t) => {
    const server = await origin(t, echo);
    // No time passes: a client that ends its side 100 ms after its request, as a busy machine may have it, has left.
    const started = await startBalancer(t, { servers: [server.address] }, { sockets: means, manual: true });
    await everyAnswerBelongs(t, started, session);
  });
}

t.test('pipelined to the server: every answer belongs to its own request', async (t) => {
  const server = await origin(t, echo);
  const started = await startBalancer(
    t,
    { servers: [server.address], pool: { pipelining: 4 } },
    { manual: true },
  );
  await everyAnswerBelongs(t, started, session.map(unpoisoned));
});

nothingIsLeft(t);
