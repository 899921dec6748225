import type { ConnectionEnds, EndsSource } from '../base/connection-ends.js';
import type { IpAddress } from '../base/ip-address.js';
import type { TransportInfo } from '../base/transport-info.js';

/** The PROXY header that is sent to servers, as latin1. */

/** The version that a server expects. */
export type ProxyVersion = 'v1' | 'v2';

/** A client's connection, as described in the header. */
export interface ProxiedConnection {
  readonly source: EndsSource;
  readonly transport: TransportInfo;
}

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
/** Version 2 in the upper half, the command in the lower half. */
const LOCAL = '\x20';
const PROXY = '\x21';

/** For a connection of our own, such as a health check. */
export function localProxyHeader(version: ProxyVersion): string {
  return version === 'v1' ? 'PROXY UNKNOWN\r\n' : `${SIGNATURE}${LOCAL}\0\0\0`;
}

/**
 * For a connection that carries requests of a client. Version 2 also describes the client's TLS. There is no unique ID: a
 * connection carries many requests, each with its own ID (X-Request-Id).
 */
export function encodeProxyHeader(version: ProxyVersion, { source, transport }: ProxiedConnection): string {
  return version === 'v1' ? encodeLine(source.ends) : encodeBinary(source.ends, transport);
}

/** 4, or 6 if one end is IPv6, or 0 for a Unix socket. */
function versionOf({ source, destination }: ConnectionEnds): 0 | 4 | 6 {
  if (source.version === 0 || destination.version === 0) return 0;
  return source.version === 6 || destination.version === 6 ? 6 : 4;
}

function encodeLine(ends: ConnectionEnds): string {
  const version = versionOf(ends);
  if (version === 0) return localProxyHeader('v1');
  const { source, destination, sourcePort, destinationPort } = ends;
  const addresses = `${textIn(version, source)} ${textIn(version, destination)}`;
  return `PROXY TCP${version} ${addresses} ${sourcePort} ${destinationPort}\r\n`;
}

function textIn(version: 4 | 6, address: IpAddress): string {
  return version === 6 && address.version === 4 ? `::ffff:${address.text}` : address.text;
}

function encodeBinary(ends: ConnectionEnds, transport: TransportInfo): string {
  const version = versionOf(ends);
  const rest = `${version === 0 ? '' : encodeEnds(version, ends)}${encodeFacts(transport)}`;
  const family = version === 0 ? '\0' : version === 4 ? '\x11' : '\x21';
  return `${SIGNATURE}${PROXY}${family}${twoBytes(rest.length)}${rest}`;
}

function encodeEnds(version: 4 | 6, ends: ConnectionEnds): string {
  const addresses = bytesIn(version, ends.source) + bytesIn(version, ends.destination);
  return addresses + twoBytes(ends.sourcePort) + twoBytes(ends.destinationPort);
}

/** The words of an IPv4 address are those of the same address mapped to IPv6. */
function bytesIn(version: 4 | 6, address: IpAddress): string {
  const last = fourBytes(address.word(3));
  if (version === 4) return last;
  return fourBytes(address.word(0)) + fourBytes(address.word(1)) + fourBytes(address.word(2)) + last;
}

function encodeFacts(transport: TransportInfo): string {
  const { alpn, sni } = transport;
  return (
    (alpn === null ? '' : tlv(0x01, alpn)) +
    (sni === null ? '' : tlv(0x02, utf8(sni).slice(0, 255))) +
    (transport.scheme === 'https' ? tlv(0x20, encodeTls(transport)) : '')
  );
}

/** Bits: the client spoke TLS; it showed a certificate in this connection, or in its session. */
const SPOKE_TLS = 1;
const SHOWED_NOW = 2;
const SHOWED_IN_SESSION = 4;

function encodeTls({ tls }: TransportInfo): string {
  // A proxy in front ended TLS, and reported no more.
  if (tls === null) return String.fromCharCode(SPOKE_TLS) + fourBytes(1);
  const { clientCertificate, resumed } = tls;
  const shown = clientCertificate === null ? 0 : resumed ? SHOWED_IN_SESSION : SHOWED_NOW | SHOWED_IN_SESSION;
  // 0 means that the certificate was verified.
  const verified = clientCertificate?.error === '' ? 0 : 1;
  const name = clientCertificate === null ? '' : commonName(clientCertificate.subject);
  return (
    String.fromCharCode(SPOKE_TLS | shown) +
    fourBytes(verified) +
    tlv(0x21, tls.version) +
    (name === '' ? '' : tlv(0x22, utf8(name).slice(0, 255))) +
    tlv(0x23, tls.cipher)
  );
}

/** The CN of a distinguished name as in RFC 4514; empty when it has none. */
function commonName(subject: string): string {
  const [, escaped = ''] = /(?:^|[,+])CN=((?:[^\\,+]|\\.)*)/.exec(subject) ?? [];
  const bytes = escaped.replace(/(?:\\[\da-f]{2})+/gi, (pairs) =>
    Buffer.from(pairs.replaceAll('\\', ''), 'hex').toString(),
  );
  return bytes.replace(/\\(.)/g, '$1');
}

/** Values never exceed 65535 bytes: host names, names of protocols and ciphers. */
function tlv(type: number, value: string): string {
  return String.fromCharCode(type) + twoBytes(value.length) + value;
}

function twoBytes(value: number): string {
  return String.fromCharCode(value >>> 8, value & 255);
}

function fourBytes(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** One character for each byte, like the rest of the header. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}
