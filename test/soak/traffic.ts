import { createHash } from 'node:crypto';
import * as http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { pattern } from '../../fixtures/pattern.js';
import { RawClient } from '../support/client.js';

/** Bytes that were not sent to this client, or not all of those that were. */
export class WrongBytes extends Error {}

/** What the visitors have in common. */
export interface Scene {
  readonly port: number;
  /** Whole numbers below `limit`, the same ones in every run with the same seed. */
  readonly below: (limit: number) => number;
  /** A number nobody else gets: in the target, so that an answer to somebody else is seen. */
  readonly nextId: () => number;
  /** Counts answered requests. */
  readonly answered: (count?: number) => void;
}

/** One client with one habit. Rejects if it was not served as it must be. */
export type Visitor = (scene: Scene) => Promise<void>;

const KIBIBYTE = 1024;
const LONGEST = pattern(4 * 1024 * KIBIBYTE);

function expect(isRight: boolean, what: string): void {
  if (!isRight) throw new WrongBytes(what);
}

/** A connection of exact bytes, gone when the visitor is. */
async function onConnection<T>(scene: Scene, visit: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await RawClient.connect(scene.port);
  try {
    return await visit(client);
  } finally {
    client.destroy();
  }
}

const head = (method: string, target: string, more = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: soak\r\n${more}\r\n`;

/** Many small requests, one after the other. */
const regular: Visitor = (scene) =>
  onConnection(scene, async (client) => {
    for (let count = 1 + scene.below(30); count > 0; count--) {
      const target = `/small-${scene.nextId()}`;
      client.send(head('GET', target));
      const { status, body } = await client.response();
      expect(status === 200 && body.includes(`GET ${target} HTTP/1.1\n`), `${target} got ${status} ${body}`);
      scene.answered();
      await pause(scene.below(20));
    }
  });

/** Several requests in one write. */
const pipelining: Visitor = (scene) =>
  onConnection(scene, async (client) => {
    const targets = Array.from(
      { length: 1 + scene.below(20) },
      () => `/piped-${scene.nextId()}?delay=${scene.below(5)}`,
    );
    client.send(targets.map((target) => head('GET', target)).join(''));
    for (const target of targets) {
      const { status, body } = await client.response();
      expect(status === 200 && body.includes(`GET ${target} HTTP/1.1\n`), `${target} got ${status} ${body}`);
      scene.answered();
    }
  });

/** A body in whichever framing, read at whichever speed. */
const downloading: Visitor = async (scene) => {
  const size = scene.below(LONGEST.length);
  const framing = ['', '&chunked=1', '&trailers=1', '&close=1', '&hints=1'][scene.below(5)] ?? '';
  const slowly = scene.below(4) === 0;
  const answer = await request(scene, 'GET', `/body-${scene.nextId()}?size=${size}${framing}`);
  let at = 0;
  for await (const bytes of answer) {
    const piece = bytes as Buffer;
    expect(piece.equals(LONGEST.subarray(at, at + piece.length)), `body differs near ${at} of ${size}`);
    at += piece.length;
    if (slowly) await pause(20);
  }
  expect(at === size, `body has ${at} bytes of ${size}`);
  if (framing === '&trailers=1') {
    const sum = sumOf(LONGEST.subarray(0, size));
    expect(answer.trailers['x-checksum'] === sum, 'the trailer is not what was sent');
  }
  scene.answered();
};

/** An upload that the server describes. */
const uploading: Visitor = async (scene) => {
  const body = LONGEST.subarray(0, scene.below(LONGEST.length));
  const answer = await request(scene, 'POST', `/echo?id=${scene.nextId()}`, body, scene.below(2) === 0);
  const text = Buffer.concat(await answer.toArray()).toString();
  const { bodyLength, sha256 } = JSON.parse(text) as { bodyLength: number; sha256: string };
  expect(bodyLength === body.length && sha256 === sumOf(body), 'the server received something else');
  scene.answered();
};

/** Up and down at once. */
const reflecting: Visitor = async (scene) => {
  const start = scene.below(1000);
  const body = LONGEST.subarray(start, start + scene.below(512 * KIBIBYTE));
  const answer = await request(scene, 'POST', '/reflect', body, scene.below(2) === 0);
  const reflected = Buffer.concat(await answer.toArray());
  expect(reflected.equals(body), 'what came back is not what was sent');
  scene.answered();
};

const talking: Visitor = async (scene) => {
  const socket = new WebSocket(`ws://127.0.0.1:${scene.port}/ws`);
  try {
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    for (let count = 1 + scene.below(20); count > 0; count--) {
      const said = `${scene.nextId()} ${'x'.repeat(scene.below(20_000))}`;
      socket.send(said);
      const heard = await new Promise((resolve, reject) => {
        socket.once('message', resolve).once('close', () => reject(new Error('the WebSocket was closed')));
      });
      socket.removeAllListeners('close');
      expect(String(heard) === said, 'the echo differs');
      await pause(scene.below(50));
    }
    scene.answered();
  } finally {
    if (scene.below(3) === 0) socket.terminate();
    else socket.close();
  }
};

/** Leaves in the middle of something, politely or not. */
const leaving: Visitor = (scene) =>
  onConnection(scene, async (client) => {
    const size = 8 * 1024 * KIBIBYTE;
    const beginnings = [
      head('GET', `/left?size=${size}`),
      head('GET', '/left?hang=1'),
      head('GET', '/left?delay=50'),
      head('POST', '/echo', `Content-Length: ${size}\r\n`) + 'x'.repeat(100_000),
      `${head('POST', '/reflect', 'Transfer-Encoding: chunked\r\n')}4000\r\n${'x'.repeat(10_000)}`,
      'GET /half HTTP/1.1\r\nHo',
      '',
    ];
    client.send(beginnings[scene.below(beginnings.length)] ?? '');
    await pause(scene.below(60));
    if (scene.below(2) === 0) client.reset();
    else client.end();
    await pause(scene.below(60));
  });

/** Asks servers that break off. */
const unlucky: Visitor = async (scene) => {
  if (scene.below(2) === 0) {
    await onConnection(scene, async (client) => {
      client.send(head('GET', `/unlucky-${scene.nextId()}?reset=before`));
      const { status } = await client.response();
      expect(status === 502, `every server reset, and the answer was ${status}`);
    });
  } else {
    const size = 100_000 + scene.below(1_000_000);
    let at = 0;
    const whole = await request(scene, 'GET', `/unlucky-${scene.nextId()}?size=${size}&reset=in`)
      .then(async (answer) => {
        for await (const bytes of answer) {
          const piece = bytes as Buffer;
          if (!piece.equals(LONGEST.subarray(at, at + piece.length))) at = Number.NaN;
          at += piece.length;
        }
        return true;
      })
      .catch(() => false);
    expect(!whole && !Number.isNaN(at), 'half a body was passed off as a whole one');
  }
  scene.answered();
};

/** Sends what is no request. */
const confused: Visitor = (scene) =>
  onConnection(scene, async (client) => {
    client.send(
      ['GET  / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00', 'GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\n'][
        scene.below(4)
      ] ?? '',
    );
    const answer = await client.toEnd();
    expect(/^HTTP\/1\.1 (400|505) /.test(answer), `a bad request got ${answer.slice(0, 40)}`);
    scene.answered();
  });

/** Who comes how often, of a hundred. */
const HABITS: readonly (readonly [visitor: Visitor, share: number])[] = [
  [regular, 30],
  [pipelining, 15],
  [downloading, 14],
  [uploading, 10],
  [reflecting, 8],
  [talking, 6],
  [leaving, 8],
  [unlucky, 6],
  [confused, 3],
];

/** Somebody, as often as their share says. */
export function anyVisitor(scene: Scene): Visitor {
  let left = scene.below(HABITS.reduce((sum, [, share]) => sum + share, 0));
  for (const [visitor, share] of HABITS) {
    left -= share;
    if (left < 0) return visitor;
  }
  return regular;
}

function request(
  { port }: Scene,
  method: string,
  path: string,
  body?: Buffer,
  chunked = false,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined || chunked ? {} : { 'Content-Length': body.length };
    const outgoing = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', (answer) => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.resume();
      reject(new Error(`${method} ${path} got ${answer.statusCode}`));
    });
    if (chunked && body !== undefined) outgoing.write(body.subarray(0, 1000));
    outgoing.end(chunked ? body?.subarray(1000) : body);
  });
}

function sumOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
