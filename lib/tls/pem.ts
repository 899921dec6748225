/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string;
  /** From the line BEGIN to the line END. */
  readonly text: string;
  /** Needs a passphrase. */
  readonly isEncrypted: boolean;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)\r?\n-----END \1-----/g;
const CERTIFICATES = ['CERTIFICATE', 'X509 CERTIFICATE'];
const KEYS = ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];

/** All blocks in their order. Text between them, such as the bag attributes of PKCS#12, is no part of any. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [block, label = '', body = ''] of text.matchAll(BLOCK)) {
    const isEncrypted = label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4, *ENCRYPTED/m.test(body);
    blocks.push({ label, text: `${block.replace(/\r\n/g, '\n')}\n`, isEncrypted });
  }
  return blocks;
}

/** OpenSSL has had two names for a certificate; Node reads the common one. */
export function certificateBlocks(blocks: readonly PemBlock[]): string[] {
  return blocks
    .filter(({ label }) => CERTIFICATES.includes(label))
    .map(({ text }) => text.replaceAll('X509 CERTIFICATE', 'CERTIFICATE'));
}

/** PKCS#8, encrypted or not, PKCS#1 and SEC1. */
export function keyBlocks(blocks: readonly PemBlock[]): PemBlock[] {
  return blocks.filter(({ label }) => KEYS.includes(label));
}

export function crlBlocks(blocks: readonly PemBlock[]): string[] {
  return blocks.filter(({ label }) => label === 'X509 CRL').map(({ text }) => text);
}

/** What a file without the blocks that are looked for seems to be: an ending for `FILE has no certificate`. */
export function otherwise(text: string, blocks: readonly PemBlock[]): { message: string; hint: string } {
  if (blocks.length > 0) {
    const labels = [...new Set(blocks.map(({ label }) => label))].join(', ');
    return { message: `it has ${labels} alone`, hint: '' };
  }
  if (text.trim() === '') return { message: 'it is empty', hint: '' };
  if (/-----BEGIN /.test(text)) return { message: 'its PEM text is cut off or damaged', hint: '' };
  // A SEQUENCE with a length of two bytes: DER, or PKCS#12.
  if (text.startsWith('0'))
    return {
      message: 'it is not PEM; it looks like DER or PKCS#12',
      hint: 'Convert it: openssl x509 -inform der -in FILE, or openssl pkcs12 -in FILE -nodes.',
    };
  return { message: 'it is not PEM: no line begins with -----BEGIN', hint: '' };
}
