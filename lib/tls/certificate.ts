import { X509Certificate } from 'node:crypto';
import { type CertificateIdentity, identityOf } from '../base/certificate-identity.js';
import { ValueError } from '../base/units.js';

/** What people and tables want to know of a certificate. */
export interface CertificateFacts extends CertificateIdentity {
  /** Host names that it covers, in lower case, wildcards included. */
  readonly names: readonly string[];
  /** IP addresses that it covers. */
  readonly addresses: readonly string[];
  /** `RSA 2048`, `EC P-256`, `Ed25519`. */
  readonly keyType: string;
}

/** A certificate that was read, with what a listener needs to know of it. */
export interface Certificate {
  readonly pem: string;
  readonly x509: X509Certificate;
  readonly facts: CertificateFacts;
  /** Its issuer asks for OCSP stapling (RFC 7633, "must-staple"). */
  readonly mustStaple: boolean;
  /** Where its OCSP responder is; null: it names none. */
  readonly ocspUrl: string | null;
  /** Where its issuer's certificate can be had; null: it does not say. */
  readonly issuerUrl: string | null;
}

/** RSA, EC, …: one certificate of each may serve a name. */
export function keyFamily({ facts: { keyType } }: Certificate): string {
  return keyType.split(' ', 1)[0] ?? keyType;
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};
const OTHER_KEYS: Readonly<Record<string, string>> = { ed25519: 'Ed25519', ed448: 'Ed448', dsa: 'DSA' };

/**
 * Object identifiers as DER has them, with tag and length. They are long enough to appear nowhere by accident, and Node
 * 20 shows neither the extension nor the algorithm of the signature.
 */
const TLS_FEATURE = Buffer.from('06082b06010505070118', 'hex');
const SHA1_SIGNATURES = ['06092a864886f70d010105', '06072a8648ce3d0401', '06072a8648ce380403'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

/** Reads one block of PEM. Throws a ValueError when it is not a certificate. */
export function readCertificate(pem: string): Certificate {
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(pem);
  } catch {
    throw new ValueError('a certificate in it is damaged');
  }
  const { names, addresses } = namesOf(x509);
  const access = x509.infoAccess ?? '';
  return {
    pem,
    x509,
    mustStaple: x509.raw.includes(TLS_FEATURE),
    ocspUrl: /^OCSP - URI:(http:\/\/\S+)$/m.exec(access)?.[1] ?? null,
    issuerUrl: /^CA Issuers - URI:(\S+)$/m.exec(access)?.[1] ?? null,
    facts: {
      ...identityOf(x509),
      names,
      addresses,
      keyType: keyTypeOf(x509),
    },
  };
}

/** RFC 6125, 6.4.4: the common name counts only when there are no alternative names. */
function namesOf(x509: X509Certificate): { names: string[]; addresses: string[] } {
  const names: string[] = [];
  const addresses: string[] = [];
  const alternatives = x509.subjectAltName;
  for (const [, kind, value = ''] of (alternatives ?? '').matchAll(/(DNS|IP Address):([^,"\s]+)/g))
    if (kind === 'DNS') names.push(value.toLowerCase());
    else addresses.push(value.includes(':') ? canonicalV6(value) : value);
  if (alternatives === undefined) {
    const common = /^CN=(\S+)$/m.exec(x509.subject ?? '')?.[1];
    if (common !== undefined) names.push(common.toLowerCase());
  }
  return { names: [...new Set(names)], addresses };
}

/** OpenSSL writes all eight groups. */
function canonicalV6(text: string): string {
  const url = `http://[${text}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : text.toLowerCase();
}

function keyTypeOf({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details = {} } = publicKey;
  if (type.startsWith('rsa')) return `RSA ${details.modulusLength ?? ''}`.trimEnd();
  if (type === 'ec') return `EC ${CURVES[details.namedCurve ?? ''] ?? details.namedCurve ?? ''}`.trimEnd();
  return OTHER_KEYS[type] ?? type;
}

/** What browsers refuse or will refuse, in words; null when it is strong enough. */
export function weaknessOf({ x509, facts }: Certificate): string | null {
  const bits = /^RSA (\d+)$/.exec(facts.keyType)?.[1];
  if (bits !== undefined && Number(bits) < 2048) return `an RSA key of ${bits} bits, browsers want 2048`;
  const isSelfSigned = facts.subject === facts.issuer;
  // Nobody verifies the signature of a root, so its hash does not matter.
  if (!isSelfSigned && SHA1_SIGNATURES.some((algorithm) => x509.raw.includes(algorithm)))
    return 'a signature with SHA-1, which clients refuse';
  return null;
}

/** Was `one` issued by `other`? */
export function isIssuedBy(one: Certificate, other: Certificate): boolean {
  return one.x509.checkIssued(other.x509);
}

/** The name that stands for a certificate in tables and messages. */
export function titleOf({ names, addresses, subject, serial }: CertificateFacts): string {
  return names[0] ?? addresses[0] ?? (subject === '' ? `serial ${serial}` : subject);
}
