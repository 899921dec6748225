/** Percent-encoding (RFC 3986, 2.1) over byte strings: one character per byte, as in heads. */

const UPPER_HEX = '0123456789ABCDEF';

/** The bytes that stand for themselves, by code. */
export type ByteSet = Uint8Array;

export function byteSet(characters: string): ByteSet {
  const set = new Uint8Array(256);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** RFC 3986, 2.3: characters that never need encoding, in any position. */
export const UNRESERVED = byteSet(`${ALPHANUMERIC}-._~`);
/** RFC 3986, 3.3: the characters of a path, including slashes. */
export const PATH = byteSet(`${ALPHANUMERIC}-._~!$&'()*+,;=:@/`);

/** The bytes of the UTF-8 form of `text`, one character each. */
export function utf8Bytes(text: string): string {
  return /[^\x00-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** `bytes`, with each byte that is not in `safe` written as a triplet. */
export function percentEncode(bytes: string, safe: ByteSet): string {
  let encoded = '';
  let run = 0;
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes.charCodeAt(i);
    if (safe[code] === 1) continue;
    encoded += `${bytes.slice(run, i)}%${UPPER_HEX[code >> 4]}${UPPER_HEX[code & 15]}`;
    run = i + 1;
  }
  return run === 0 ? bytes : encoded + bytes.slice(run);
}

/** The bytes that a text of ASCII and triplets stands for; an incomplete triplet stays as it is. */
export function decodeTriplets(text: string): string {
  let at = text.indexOf('%');
  if (at === -1) return text;
  let bytes = '';
  let run = 0;
  for (; at !== -1; at = text.indexOf('%', at + 1)) {
    const code = hexDigit(text.charCodeAt(at + 1)) * 16 + hexDigit(text.charCodeAt(at + 2));
    if (Number.isNaN(code)) continue;
    bytes += text.slice(run, at) + String.fromCharCode(code);
    run = at + 3;
    at += 2;
  }
  return bytes + text.slice(run);
}

/** Decodes bytes as UTF-8; invalid ones become U+FFFD. */
export function readUtf8(bytes: string): string {
  return /[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes;
}

/** Is every `%` followed by two digits? */
export function hasWholeTriplets(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

/** The value of a hexadecimal digit; NaN for anything else. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}
