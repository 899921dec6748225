import { randomInt } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { decodeSrvReply, encodeSrvQuestion, type SrvReply } from './dns-message.js';

/** Called once. The error's code is one of `node:dns`. */
export type SrvCallback = (error: NodeJS.ErrnoException | null, reply: SrvReply) => void;

export const NO_REPLY: SrvReply = { code: 2, isTruncated: false, records: [], ttl: 0 };

/** Each server is asked twice, the second time for twice as long. */
const TIMEOUT_MS = 1000;
const ROUNDS = 2;
/** For the whole answer over TCP. */
const TCP_TIMEOUT_MS = 3000;
const NXDOMAIN = 3;

/**
 * One question for SRV records: to each name server in turn over UDP until one answers, and to that one over TCP if the
 * answer is too long for a datagram (RFC 1035, 4.2).
 */
export class SrvQuery implements DeadlineOwner {
  readonly #servers: readonly string[];
  readonly #callback: SrvCallback;
  readonly #question: Buffer;
  readonly #deadline: Deadline;
  #tries = 0;
  #datagrams: DatagramSocket | null = null;
  #stream: Socket | null = null;
  #error = failure('ETIMEOUT');

  /** `servers`: as `Resolver.getServers` of `node:dns` lists them. The callback is never called before this returns. */
  constructor(name: string, servers: readonly string[], wheel: TimerWheel, callback: SrvCallback) {
    this.#servers = servers;
    this.#callback = callback;
    this.#question = encodeSrvQuestion(randomInt(0x10000), name);
    this.#deadline = new Deadline(wheel, this);
    this.#tryNext();
  }

  /** The callback is not called any more. */
  cancel(): void {
    this.#close();
    this.#deadline.release();
  }

  onDeadline(): void {
    this.#error = failure('ETIMEOUT');
    this.#tryNext();
  }

  #close(): void {
    this.#datagrams?.close();
    this.#datagrams = null;
    this.#stream?.destroy();
    this.#stream = null;
  }

  #tryNext(): void {
    this.#close();
    const count = this.#servers.length;
    if (this.#tries >= count * ROUNDS) {
      // Never before the constructor returns: there is at least one name server.
      this.#conclude(this.#error, NO_REPLY);
      return;
    }
    const round = Math.floor(this.#tries / count);
    const { host, port } = placeOf(this.#servers[this.#tries++ % count] as string);
    this.#deadline.arm(TIMEOUT_MS * 2 ** round);
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    this.#datagrams = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => this.#onError(socket, error));
    socket.on('message', (message) => {
      if (this.#datagrams === socket) this.#onMessage(message, host, port);
    });
    // A connected socket receives from this server alone, and reports at once when no program listens there.
    socket.connect(port, host, () => {
      if (this.#datagrams === socket) socket.send(this.#question);
    });
  }

  #onError(socket: DatagramSocket | Socket, error: NodeJS.ErrnoException): void {
    if (socket !== this.#datagrams && socket !== this.#stream) return;
    this.#error = error;
    this.#tryNext();
  }

  #onMessage(message: Buffer, host: string, port: number): void {
    const reply = decodeSrvReply(message, this.#question);
    if (reply === null) return;
    if (reply.isTruncated) this.#askByStream(host, port);
    else this.#onReply(reply);
  }

  #askByStream(host: string, port: number): void {
    this.#close();
    this.#deadline.arm(TCP_TIMEOUT_MS);
    const socket = connect({ host, port });
    this.#stream = socket;
    const chunks: Buffer[] = [];
    let length = 0;
    socket.on('error', (error) => this.#onError(socket, error));
    socket.on('close', () => this.#onError(socket, failure('ECONNRESET')));
    socket.on('connect', () => {
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16BE(this.#question.length, 0);
      socket.write(Buffer.concat([prefix, this.#question]));
    });
    socket.on('data', (chunk) => {
      if (this.#stream !== socket) return;
      chunks.push(chunk);
      length += chunk.length;
      const all = Buffer.concat(chunks);
      if (length < 2 || length < 2 + all.readUInt16BE(0)) return;
      const reply = decodeSrvReply(all.subarray(2, 2 + all.readUInt16BE(0)), this.#question);
      if (reply === null) this.#onError(socket, failure('EBADRESP'));
      else this.#onReply(reply);
    });
  }

  #onReply(reply: SrvReply): void {
    if (reply.code === 0 || reply.code === NXDOMAIN) {
      this.#conclude(null, reply);
      return;
    }
    this.#error = failure(reply.code === 2 ? 'ESERVFAIL' : reply.code === 5 ? 'EREFUSED' : 'EBADRESP');
    this.#tryNext();
  }

  #conclude(error: NodeJS.ErrnoException | null, reply: SrvReply): void {
    this.cancel();
    this.#callback(error, reply);
  }
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`querySrv ${code}`), { code });
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. */
function placeOf(server: string): { host: string; port: number } {
  if (isIPv6(server)) return { host: server, port: 53 };
  const { host = server, port = '53' } =
    /^\[?(?<host>[^\]]*?)\]?(?::(?<port>\d+))?$/.exec(server)?.groups ?? {};
  return { host, port: Number(port) };
}
