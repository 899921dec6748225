import { latin1 } from '../base/bytes.js';
import type { ConnectionEnds } from '../base/connection-ends.js';
import { IpAddress, parseIpAddress } from '../base/ip-address.js';
import { crc32c } from './crc32c.js';

/**
 * The PROXY protocol header, which a proxy sends before the first byte of a connection to name its client: version 1 is a
 * line of text, version 2 is binary and may have more facts in TLVs.
 */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** The proxy speaks for itself (LOCAL), as in its health checks. */
  readonly isLocal: boolean;
  /** null: the header has no IP addresses, and those of the connection itself count. */
  readonly ends: ConnectionEnds | null;
  /** The protocol that the client and the proxy agreed on (RFC 7301). */
  readonly alpn: string | null;
  /** The host name that the client requested from the proxy (RFC 6066, 3), in lower case; null also when it is invalid. */
  readonly authority: string | null;
  /** The proxy's identifier of the connection, as latin1. */
  readonly uniqueId: string | null;
  /** The network namespace on the proxy's machine. */
  readonly namespace: string | null;
  /** null: the header says nothing about TLS. */
  readonly tls: ProxyTls | null;
}

/** PP2_TYPE_SSL. */
export interface ProxyTls {
  /** Did the client speak TLS to the proxy? */
  readonly isEncrypted: boolean;
  /** Did the client show a certificate in this connection, or in the session that it resumes? */
  readonly hasCertificate: boolean;
  /** Was that certificate found valid? */
  readonly isVerified: boolean;
  readonly version: string | null;
  readonly commonName: string | null;
  readonly cipher: string | null;
}

/** missing: this is not a PROXY header. malformed: it begins like one. `detail` says what is wrong. */
export interface ProxyRefusal {
  readonly kind: 'missing' | 'malformed';
  readonly detail: string;
}

/** The longest line of version 1, including CRLF. */
const MOST_LINE = 107;
const LINE_START = Buffer.from('PROXY ', 'latin1');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Signature, version and command, family and transport, and the length of the rest. */
const FIXED_BYTES = 16;
/** The limit of nginx; in practice proxies send less than 600. */
const MOST_BYTES = 4096;
const CR = 0x0d;
const LF = 0x0a;

/** Reads one header, in any number of pieces. */
export class ProxyHeaderParser {
  #bytes: Buffer = Buffer.allocUnsafe(MOST_LINE);
  #length = 0;
  /** Set once the header is complete and valid. */
  header: ProxyHeader | null = null;
  /** Set once it is certain that there is no valid header. */
  refusal: ProxyRefusal | null = null;

  /** Has any byte arrived? */
  get started(): boolean {
    return this.#length > 0;
  }

  /** Reads `buffer[start, end)` and returns where the header ends; `end` while it is incomplete. */
  read(buffer: Buffer, start: number, end: number): number {
    let position = start;
    while (position < end && this.header === null && this.refusal === null) {
      const isLine = (this.#length === 0 ? buffer[position] : this.#bytes[0]) === LINE_START[0];
      position = isLine ? this.#readLine(buffer, position, end) : this.#readBinary(buffer, position, end);
    }
    return position;
  }

  #take(buffer: Buffer, start: number, end: number): number {
    buffer.copy(this.#bytes, this.#length, start, end);
    this.#length += end - start;
    return end;
  }

  #refuse(kind: ProxyRefusal['kind'], detail: string): void {
    this.refusal = { kind, detail };
  }

  #readLine(buffer: Buffer, start: number, end: number): number {
    const most = Math.min(end, start + MOST_LINE - this.#length);
    const lineEnd = buffer.subarray(start, most).indexOf(LF);
    const position = this.#take(buffer, start, lineEnd === -1 ? most : start + lineEnd + 1);
    if (!this.#beginsWith(LINE_START)) this.#refuse('missing', 'no PROXY header');
    else if (lineEnd !== -1) this.#endLine();
    else if (this.#length === MOST_LINE) this.#refuse('malformed', `a line longer than ${MOST_LINE} bytes`);
    return position;
  }

  /** Compares as many bytes as have arrived. */
  #beginsWith(start: Buffer): boolean {
    const length = Math.min(this.#length, start.length);
    return this.#bytes.compare(start, 0, length, 0, length) === 0;
  }

  #endLine(): void {
    const length = this.#length - 2;
    if (this.#bytes[length] !== CR) {
      this.#refuse('malformed', 'a line that does not end with CRLF');
      return;
    }
    const line = latin1(this.#bytes, LINE_START.length, length);
    const read = parseLine(line);
    if (typeof read === 'string') this.#refuse('malformed', read);
    else this.header = { ...PLAIN, version: 1, ends: read };
  }

  #readBinary(buffer: Buffer, start: number, end: number): number {
    const wanted = this.#length < FIXED_BYTES ? FIXED_BYTES : this.#total;
    const position = this.#take(buffer, start, Math.min(end, start + wanted - this.#length));
    if (!this.#beginsWith(SIGNATURE)) this.#refuse('missing', 'no PROXY header');
    else if (this.#length === FIXED_BYTES) this.#beginRest();
    if (this.refusal === null && this.#length >= FIXED_BYTES && this.#length === this.#total)
      this.#endBinary();
    return position;
  }

  get #total(): number {
    return FIXED_BYTES + this.#bytes.readUInt16BE(14);
  }

  #beginRest(): void {
    const bytes = this.#bytes;
    const versionAndCommand = bytes[12] as number;
    if (versionAndCommand >> 4 !== 2) {
      this.#refuse('malformed', `version ${versionAndCommand >> 4} in a binary header`);
    } else if ((versionAndCommand & 15) > PROXY) {
      this.#refuse('malformed', `command ${versionAndCommand & 15}`);
    } else if (this.#total > MOST_BYTES) {
      this.#refuse('malformed', `${this.#total} bytes, and ${MOST_BYTES} is the most`);
    } else if (this.#total > bytes.length) {
      this.#bytes = Buffer.allocUnsafe(this.#total);
      bytes.copy(this.#bytes, 0, 0, FIXED_BYTES);
    }
  }

  #endBinary(): void {
    const bytes = this.#bytes.subarray(0, this.#total);
    // After the length, everything in a LOCAL header is ignored, including its family.
    if (((bytes[12] as number) & 15) !== PROXY) {
      this.header = { ...PLAIN, isLocal: true };
      return;
    }
    const read = parseProxied(bytes);
    if (typeof read === 'string') this.#refuse('malformed', read);
    else this.header = read;
  }
}

const PLAIN: ProxyHeader = {
  version: 2,
  isLocal: false,
  ends: null,
  alpn: null,
  authority: null,
  uniqueId: null,
  namespace: null,
  tls: null,
};

/** Parses the part after `PROXY ` in version 1. Returns null when the addresses are unknown; a text says what is wrong. */
function parseLine(line: string): ConnectionEnds | null | string {
  // Everything after UNKNOWN is ignored.
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return null;
  const [protocol, from, to, fromPort, toPort, ...surplus] = line.split(' ');
  if (protocol !== 'TCP4' && protocol !== 'TCP6') return 'a protocol that is not TCP4, TCP6 or UNKNOWN';
  if (from === undefined || to === undefined || fromPort === undefined || toPort === undefined)
    return 'a line that is not whole';
  if (surplus.length > 0) return 'a line with more than two addresses and two ports';
  const source = parseEnd(from, protocol);
  const destination = parseEnd(to, protocol);
  if (source === null || destination === null) return `an address that is not one of ${protocol}`;
  const sourcePort = parsePort(fromPort);
  const destinationPort = parsePort(toPort);
  if (sourcePort === -1 || destinationPort === -1) return 'a port that is not a number from 0 to 65535';
  return { source, sourcePort, destination, destinationPort };
}

function parseEnd(text: string, protocol: 'TCP4' | 'TCP6'): IpAddress | null {
  const isV6 = text.includes(':');
  return isV6 === (protocol === 'TCP6') && !text.includes('%') ? parseIpAddress(text) : null;
}

function parsePort(text: string): number {
  const port = /^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1;
  return port > 65535 ? -1 : port;
}

const PROXY = 1;

/** Bytes of addresses and ports, by the byte of family and transport: none, TCP and UDP over IPv4 and IPv6, Unix. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);

/** Parses a complete header with the command PROXY; a text says what is wrong. */
function parseProxied(bytes: Buffer): ProxyHeader | string {
  const kind = bytes[13] as number;
  const length = ADDRESS_BYTES.get(kind);
  if (length === undefined) return `family and transport 0x${kind.toString(16).padStart(2, '0')}`;
  const at = FIXED_BYTES + length;
  if (at > bytes.length) return 'addresses that are not whole';
  const tlvs = readTlvs(bytes, at, bytes.length);
  if (typeof tlvs === 'string') return tlvs;
  const { checksumAt, ...facts } = tlvs;
  if (checksumAt !== -1 && !isIntact(bytes, checksumAt)) return 'a CRC32C that does not fit';
  return { ...PLAIN, ...facts, ends: readEnds(bytes, kind >> 4) };
}

/** `family`: 1 is IPv4, 2 is IPv6. */
function readEnds(bytes: Buffer, family: number): ConnectionEnds | null {
  if (family !== 1 && family !== 2) return null;
  const size = family === 1 ? 4 : 16;
  const read = family === 1 ? readV4 : readV6;
  const ports = FIXED_BYTES + 2 * size;
  return {
    source: read(bytes, FIXED_BYTES),
    destination: read(bytes, FIXED_BYTES + size),
    sourcePort: bytes.readUInt16BE(ports),
    destinationPort: bytes.readUInt16BE(ports + 2),
  };
}

function readV4(bytes: Buffer, at: number): IpAddress {
  return IpAddress.v4(bytes.readUInt32BE(at));
}

function readV6(bytes: Buffer, at: number): IpAddress {
  return IpAddress.v6(Uint32Array.from([0, 4, 8, 12], (offset) => bytes.readUInt32BE(at + offset)));
}

/** The checksum covers the header, with zeros in place of itself. */
function isIntact(bytes: Buffer, at: number): boolean {
  const expected = bytes.readUInt32BE(at);
  bytes.writeUInt32BE(0, at);
  return crc32c(bytes) === expected;
}

const TLV = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  uniqueId: 0x05,
  ssl: 0x20,
  namespace: 0x30,
} as const;
const SSL_TLV = { version: 0x21, commonName: 0x22, cipher: 0x23 } as const;
/** Each may occur only once: otherwise two programs could use different ones. */
const ONCE: ReadonlySet<number> = new Set([...Object.values(TLV), ...Object.values(SSL_TLV)]);

interface Tlvs extends Pick<ProxyHeader, 'alpn' | 'authority' | 'uniqueId' | 'namespace' | 'tls'> {
  /** -1: there is none. */
  readonly checksumAt: number;
}

function readTlvs(bytes: Buffer, start: number, end: number): Tlvs | string {
  const found = splitTlvs(bytes, start, end);
  if (typeof found === 'string') return found;
  const text = (type: number): string | null => found.get(type)?.toString('latin1') ?? null;
  const checksum = found.get(TLV.crc32c);
  if (checksum !== undefined && checksum.length !== 4) return 'a CRC32C of another length than 4 bytes';
  if ((found.get(TLV.uniqueId)?.length ?? 0) > 128) return 'a unique ID of more than 128 bytes';
  const ssl = found.get(TLV.ssl);
  const tls = ssl === undefined ? null : readSsl(ssl);
  if (typeof tls === 'string') return tls;
  return {
    alpn: text(TLV.alpn),
    authority: hostName(text(TLV.authority)),
    uniqueId: text(TLV.uniqueId),
    namespace: text(TLV.namespace),
    tls,
    checksumAt: checksum === undefined ? -1 : checksum.byteOffset - bytes.byteOffset,
  };
}

/** The value of each known TLV, by type. */
function splitTlvs(bytes: Buffer, start: number, end: number): Map<number, Buffer> | string {
  const found = new Map<number, Buffer>();
  for (let at = start; at < end; ) {
    if (end - at < 3) return 'a TLV that is not whole';
    const type = bytes[at] as number;
    const valueAt = at + 3;
    at = valueAt + bytes.readUInt16BE(at + 1);
    if (at > end) return 'a TLV that is longer than the header';
    if (!ONCE.has(type)) continue;
    if (found.has(type)) return `the TLV 0x${type.toString(16).padStart(2, '0')} twice`;
    found.set(type, bytes.subarray(valueAt, at));
  }
  return found;
}

/** Bits for what the client did: spoke TLS, showed a certificate in this connection or in its session. */
const CLIENT_TLS = 1;
const CLIENT_CERTIFICATE = 2 | 4;

/** One byte of bits, four bytes that are 0 when a certificate was verified, and TLVs. */
function readSsl(value: Buffer): ProxyTls | string {
  if (value.length < 5) return 'a TLV of TLS that is not whole';
  const found = splitTlvs(value, 5, value.length);
  if (typeof found === 'string') return found;
  const text = (type: number): string | null => found.get(type)?.toString() ?? null;
  const client = value[0] as number;
  const hasCertificate = (client & CLIENT_CERTIFICATE) !== 0;
  return {
    isEncrypted: (client & CLIENT_TLS) !== 0,
    hasCertificate,
    isVerified: hasCertificate && value.readUInt32BE(1) === 0,
    version: text(SSL_TLV.version),
    commonName: text(SSL_TLV.commonName),
    cipher: text(SSL_TLV.cipher),
  };
}

/** A client may have requested any name from the proxy: an invalid host name is ignored. */
function hostName(text: string | null): string | null {
  if (text === null) return null;
  return text.length <= 255 && /^[\w-]+(\.[\w-]+)*$/.test(text) ? text.toLowerCase() : null;
}
