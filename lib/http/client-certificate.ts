import type { ClientCertificate } from '../base/transport-info.js';
import { byteSet, percentEncode, UNRESERVED, utf8Bytes } from './percent.js';

/** Fields that tell servers about the certificate of a client. */

/**
 * Bytes that stand for themselves in a value. `%` is not among them: so what is encoded can be decoded, and a name in a
 * certificate can neither end the field nor imitate other text.
 */
const PLAIN = byteSet(` !"#$&'()*+,/:;<=>?@[\\]^_\`{|}`).map(
  (safe, code) => safe | (UNRESERVED[code] as number),
);

/**
 * Is a field of this name (lower case) about a client's certificate? X-Client-Cert-* are ours; Client-Cert and
 * Client-Cert-Chain are defined by RFC 9440, which asks every proxy to remove those that a client sends.
 */
export function tellsCertificate(name: string): boolean {
  return /^(?:x-client-cert(?:$|-)|client-cert(?:-chain)?$)/.test(name);
}

/** Names (lower case) and values of the fields for a certificate; for an invalid one, only the error and the fingerprint. */
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
    ['x-client-cert-not-before', timeText(notBefore)],
    ['x-client-cert-not-after', timeText(notAfter)],
    ['x-client-cert-names', names.map((name) => encode(name).replaceAll(',', '%2C')).join(',')],
  ]);
}

/** Empty for a time that cannot be read: a client chooses what stands in its certificate. */
function timeText(time: number): string {
  return Number.isFinite(time) ? new Date(time).toISOString() : '';
}

/** The same fields as lines of a head. */
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
