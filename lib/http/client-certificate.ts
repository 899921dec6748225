import type { ClientCertificate } from '../base/transport-info.js';
import { byteSet, percentEncode, UNRESERVED, utf8Bytes } from './percent.js';

/** How servers are told of the certificate that a client showed. */

/**
 * What may stand in a value as it is. `%` is not among them: what is encoded can be decoded, and no name in a certificate
 * can end a field or pass for another text.
 */
const PLAIN = byteSet(` !"#$&'()*+,/:;<=>?@[\\]^_\`{|}`).map(
  (safe, code) => safe | (UNRESERVED[code] as number),
);

/**
 * Does a field of this name (lower case) tell of a client's certificate? X-Client-Cert-* are ours; Client-Cert and
 * Client-Cert-Chain are those of RFC 9440, which asks every proxy to remove what a client claims.
 */
export function tellsCertificate(name: string): boolean {
  return /^(?:x-client-cert(?:$|-)|client-cert(?:-chain)?$)/.test(name);
}

/** Names (lower case) and values of the fields for a certificate; of one that is not valid, only that it is not, and which one. */
export function certificateFields(certificate: ClientCertificate | null): ReadonlyMap<string, string> {
  if (certificate === null) return new Map();
  const { error, fingerprint, subject, issuer, serial, notBefore, notAfter, names } = certificate;
  if (error !== '')
    return new Map([
      ['x-client-cert-verify', `FAILED:${encode(error)}`],
      ['x-client-cert-fingerprint', fingerprint],
    ]);
  return new Map([
    ['x-client-cert-verify', 'SUCCESS'],
    ['x-client-cert-subject', encode(subject)],
    ['x-client-cert-issuer', encode(issuer)],
    ['x-client-cert-serial', serial],
    ['x-client-cert-fingerprint', fingerprint],
    ['x-client-cert-not-before', new Date(notBefore).toISOString()],
    ['x-client-cert-not-after', new Date(notAfter).toISOString()],
    ['x-client-cert-names', names.map((name) => encode(name).replaceAll(',', '%2C')).join(',')],
  ]);
}

/** The same as lines of a head. */
export function certificateLines(certificate: ClientCertificate | null): string {
  let lines = '';
  for (const [name, value] of certificateFields(certificate)) lines += `${capitalised(name)}: ${value}\r\n`;
  return lines;
}

function encode(text: string): string {
  return percentEncode(utf8Bytes(text), PLAIN);
}

function capitalised(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
