/** The first message of a TLS client, read before OpenSSL sees it: the name in it decides which options OpenSSL gets. */

/** The contents of a ClientHello. */
export interface ClientHello {
  /** The host name (RFC 6066, 3) in lower case, without a final dot; null: none. */
  readonly name: string | null;
  /** The application protocols, in the client's order of preference (RFC 7301); empty: none are offered. */
  readonly protocols: readonly string[];
}

/** Alerts of TLS (RFC 8446, 6) that end a handshake before OpenSSL takes part. */
export const ALERT = { illegalParameter: 47, decodeError: 50, unrecognizedName: 112 } as const;

/** Why there is no ClientHello. plain_http: the client speaks HTTP without TLS. garbage: anything else; `alert` is sent. */
export interface NoHello {
  readonly fault: 'plain_http' | 'garbage';
  /** 0: nothing is sent, because the client does not speak TLS. */
  readonly alert: number;
}

/** The most bytes of a ClientHello, including its records. Those of browsers with post-quantum keys have 1.8 KiB. */
export const MAX_HELLO = 16 * 1024;

const HANDSHAKE_RECORD = 22;
const RECORD_HEADER = 5;
const MAX_RECORD = 16 * 1024;
const CLIENT_HELLO = 1;
const MESSAGE_HEADER = 4;
const SERVER_NAME = 0;
const PROTOCOLS = 16;
/** The type of a host name; no other type exists. */
const HOST_NAME = 0;
/** RFC 1035, 2.3.4. */
const MAX_NAME = 255;

const PLAIN_HTTP: NoHello = { fault: 'plain_http', alert: 0 };
const NO_TLS: NoHello = { fault: 'garbage', alert: 0 };
const MALFORMED: NoHello = { fault: 'garbage', alert: ALERT.decodeError };
const BAD_NAME: NoHello = { fault: 'garbage', alert: ALERT.illegalParameter };

/** Thrown and caught in this file. */
class Malformed extends Error {}

/**
 * The ClientHello that `bytes` begin with; null while it is incomplete. It may be split into records, and these into
 * reads, anywhere.
 */
export function readClientHello(bytes: Buffer): ClientHello | NoHello | null {
  const first = bytes[0];
  if (first === undefined) return null;
  if (first !== HANDSHAKE_RECORD) return isLetter(first) ? PLAIN_HTTP : NO_TLS;
  const message = joinRecords(bytes);
  if (message === null || 'fault' in message) {
    return message === null && bytes.length >= MAX_HELLO ? MALFORMED : message;
  }
  try {
    return parseHello(new Fields(message, MESSAGE_HEADER, message.length));
  } catch (error) {
    if (error instanceof Malformed) return error.message === '' ? MALFORMED : BAD_NAME;
    throw error;
  }
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/**
 * The message with its header, taken out of its records; null while it is incomplete. Each byte is copied once: a client may
 * send a record for each of them.
 */
function joinRecords(bytes: Buffer): Buffer | NoHello | null {
  const message = Buffer.allocUnsafe(bytes.length);
  let joined = 0;
  for (let at = 0; ; ) {
    // The major version of a record is 3 in all versions of SSL 3.0 and TLS.
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return MALFORMED;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return NO_TLS;
    const start = at + RECORD_HEADER;
    if (start > bytes.length) return null;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD) return NO_TLS;
    at = start + length;
    joined += bytes.copy(message, joined, start, at);
    if (joined > 0 && message[0] !== CLIENT_HELLO) return MALFORMED;
    if (joined >= MESSAGE_HEADER) {
      const whole = MESSAGE_HEADER + message.readUIntBE(1, 3);
      if (whole > MAX_HELLO) return MALFORMED;
      // A ClientHello ends its record: OpenSSL refuses anything after it.
      if (joined >= whole) return message.subarray(0, whole);
    }
    if (at > bytes.length) return null;
  }
}

/** RFC 8446, 4.1.2. */
function parseHello(hello: Fields): ClientHello {
  hello.skip(2 + 32);
  hello.vector(1);
  hello.vector(2);
  hello.vector(1);
  let name: string | null = null;
  let protocols: readonly string[] = [];
  if (!hello.hasMore) return { name, protocols };
  const extensions = hello.vector(2);
  while (extensions.hasMore) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type === SERVER_NAME) name = hostName(data);
    else if (type === PROTOCOLS) protocols = offered(data);
  }
  return { name, protocols };
}

function hostName(data: Fields): string | null {
  const list = data.vector(2);
  while (list.hasMore) {
    const type = list.number(1);
    const value = list.vector(2).text();
    if (type === HOST_NAME) return hostOf(value);
  }
  return null;
}

/** The name is written to logs and headers: a name with bytes that are not printable ASCII is ignored. */
function hostOf(value: string): string {
  const name = value.endsWith('.') ? value.slice(0, -1) : value;
  if (name.length === 0 || value.length > MAX_NAME || !/^[\x21-\x7e]+$/.test(name))
    throw new Malformed('name');
  return name.toLowerCase();
}

function offered(data: Fields): readonly string[] {
  const list = data.vector(2);
  const protocols: string[] = [];
  while (list.hasMore) protocols.push(list.vector(1).text());
  return protocols;
}

/** Reads the elements of TLS messages: numbers, and vectors after their length. */
class Fields {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get hasMore(): boolean {
    return this.#at < this.#end;
  }

  skip(length: number): void {
    if (this.#end - this.#at < length) throw new Malformed();
    this.#at += length;
  }

  number(size: 1 | 2): number {
    const at = this.#at;
    this.skip(size);
    return this.#bytes.readUIntBE(at, size);
  }

  vector(size: 1 | 2): Fields {
    const length = this.number(size);
    const start = this.#at;
    this.skip(length);
    return new Fields(this.#bytes, start, start + length);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at, this.#end);
  }
}
