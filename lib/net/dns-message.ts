/**
 * Messages of DNS (RFC 1035), as far as SRV records (RFC 2782) need them: Node's own resolver reports no TTL for these.
 */

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** In lower case, without the dot of the root; empty: the service is not offered (RFC 2782). */
  readonly target: string;
}

/** What a name server said. */
export interface SrvReply {
  /** RCODE: 0 for success, 3 for a name that does not exist. */
  readonly code: number;
  /** The answer is too long for a datagram and is to be asked for over TCP. */
  readonly isTruncated: boolean;
  readonly records: readonly SrvRecord[];
  /** Seconds that the records are valid; infinite without any. */
  readonly ttl: number;
}

const HEADER_BYTES = 12;
const SRV = 33;
const CNAME = 5;
const INTERNET = 1;
const RECURSION_DESIRED = 0x0100;
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;
const CODE = 0x000f;
/** Compression pointers of one name: a message cannot have more labels than that. */
const MOST_JUMPS = 128;

/** A question for the SRV records of `name`. Throws a RangeError for a name that DNS cannot have. */
export function encodeSrvQuestion(id: number, name: string): Buffer {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .map((label) => Buffer.from(label, 'latin1'));
  const header = Buffer.alloc(HEADER_BYTES);
  const parts: Buffer[] = [header];
  for (const label of labels) {
    if (label.length === 0 || label.length > 63) throw new RangeError(`${name} is not a name of DNS`);
    parts.push(Buffer.from([label.length]), label);
  }
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  parts.push(Buffer.from([0, 0, SRV, 0, INTERNET]));
  return Buffer.concat(parts);
}

/** Reads the answer to `question`. null: it is not one, or is malformed. */
export function decodeSrvReply(message: Buffer, question: Buffer): SrvReply | null {
  try {
    return new Reader(message).reply(question);
  } catch (error) {
    // Past the end of the message, or a pointer that leads nowhere.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

class Reader {
  readonly #message: Buffer;
  #at = HEADER_BYTES;

  constructor(message: Buffer) {
    this.#message = message;
  }

  reply(question: Buffer): SrvReply | null {
    const message = this.#message;
    const flags = message.readUInt16BE(2);
    const isAnswer = (flags & RESPONSE) !== 0 && message.readUInt16BE(0) === question.readUInt16BE(0);
    if (!isAnswer || message.readUInt16BE(4) !== 1) return null;
    const asked = this.#name();
    const isSame = asked === new Reader(question).#name() && this.#number() === SRV;
    this.#at += 2;
    if (!isSame) return null;
    const records: SrvRecord[] = [];
    let ttl = Number.POSITIVE_INFINITY;
    const answers = message.readUInt16BE(6);
    for (let i = 0; i < answers; i++) ttl = Math.min(ttl, this.#record(records));
    return { code: flags & CODE, isTruncated: (flags & TRUNCATED) !== 0, records, ttl };
  }

  /** Reads one record, and returns its TTL. */
  #record(records: SrvRecord[]): number {
    this.#name();
    const type = this.#number();
    this.#at += 2;
    const ttl = this.#message.readUInt32BE(this.#at);
    this.#at += 4;
    const end = this.#number() + this.#at;
    if (end > this.#message.length) throw new RangeError('a record ends after the message');
    let valid = type === CNAME ? ttl : Number.POSITIVE_INFINITY;
    if (type === SRV) {
      const [priority, weight, port] = [this.#number(), this.#number(), this.#number()];
      records.push({ priority, weight, port, target: this.#name() });
      valid = ttl;
    }
    this.#at = end;
    return valid;
  }

  #number(): number {
    const number = this.#message.readUInt16BE(this.#at);
    this.#at += 2;
    return number;
  }

  /** A name, in lower case; pointers (RFC 1035, 4.1.4) are followed. */
  #name(): string {
    const labels: string[] = [];
    let at = this.#at;
    let end = -1;
    for (let jumps = 0; ; ) {
      const length = this.#message.readUInt8(at++);
      if (length === 0) break;
      if (length < 64) {
        if (at + length > this.#message.length) throw new RangeError('a name ends after the message');
        labels.push(this.#message.toString('latin1', at, at + length));
        at += length;
        continue;
      }
      if (jumps++ > MOST_JUMPS || length < 192) throw new RangeError('a name without an end');
      if (end === -1) end = at + 1;
      at = ((length & 63) << 8) | this.#message.readUInt8(at);
    }
    this.#at = end === -1 ? at : end;
    return labels.join('.').toLowerCase();
  }
}
