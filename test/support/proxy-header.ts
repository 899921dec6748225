import { crc32c } from '../../lib/net/crc32c.js';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A header of version 2: the byte of version and command, that of family and transport, and what follows the length. */
export function binaryHeader(
  versionAndCommand: number,
  familyAndTransport: number,
  rest: Buffer | string | readonly number[],
): Buffer {
  const body = Buffer.from(rest as string, 'latin1');
  const fixed = Buffer.from([versionAndCommand, familyAndTransport, body.length >> 8, body.length & 255]);
  return Buffer.concat([SIGNATURE, fixed, body]);
}

export function tlv(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** The header with the right value in its first CRC32C, which has zeros. */
export function withChecksum(header: Buffer): Buffer {
  const at = header.indexOf(tlv(3, Buffer.alloc(4))) + 3;
  const bytes = Buffer.from(header);
  bytes.writeUInt32BE(crc32c(header), at);
  return bytes;
}
