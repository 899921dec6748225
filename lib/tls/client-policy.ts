import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { ClientAuthConfig } from '../config/types.js';
import { sharedText } from '../shared/shared-text.js';
import { readPem } from './certificate-files.js';
import { opensslTrouble } from './contexts.js';
import type { Findings } from './finding.js';
import { certificateBlocks, crlBlocks, otherwise, pemBlocks } from './pem.js';
import { type ClientPolicy, NO_CLIENT_POLICY } from './published-certificates.js';

/** Reads the files of `client_auth`; null when they cannot be used, and the findings say why. */
export function readClientPolicy(
  config: ClientAuthConfig | null,
  findings: Findings,
  watch: (path: string) => void,
): ClientPolicy | null {
  if (config === null) return NO_CLIENT_POLICY;
  const { mode } = config;
  const ca = readBlocks(config.ca, certificateBlocks, 'no certificate of an authority', findings, watch);
  const crl =
    config.crl === null
      ? []
      : readBlocks(config.crl, crlBlocks, 'no revocation list (-----BEGIN X509 CRL)', findings, watch);
  if (ca === null || crl === null) return null;
  // 32 characters are the most that OpenSSL takes as the context of a session.
  const id = createHash('sha256')
    .update(JSON.stringify([mode, ca, crl]))
    .digest('hex')
    .slice(0, 32);
  const refusal = areCertificates(ca) ? policyRefusal(ca, crl) : 'a certificate is damaged';
  if (refusal === null) return { mode, id, ca: ca.map(sharedText), crl: crl.map(sharedText) };
  findings.error(config.ca, `the authorities, or their revocation lists, cannot be used: ${refusal}`);
  return null;
}

function readBlocks(
  file: string,
  select: (blocks: ReturnType<typeof pemBlocks>) => string[],
  missing: string,
  findings: Findings,
  watch: (path: string) => void,
): string[] | null {
  watch(file);
  const text = readPem(file, findings);
  if (text === null) return null;
  const blocks = pemBlocks(text);
  const found = select(blocks);
  if (found.length > 0) return found;
  const { message, hint } = otherwise(text, blocks);
  findings.error(file, `${missing}: ${message}`, hint);
  return null;
}

/** Why OpenSSL refuses them, in words; null when it takes them. */
function policyRefusal(ca: string[], crl: string[]): string | null {
  try {
    createSecureContext({ ca, ...(crl.length === 0 ? {} : { crl }) });
    return null;
  } catch (error) {
    return opensslTrouble(error);
  }
}

/** OpenSSL goes on without those that it cannot read. */
function areCertificates(pems: readonly string[]): boolean {
  try {
    for (const pem of pems) new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
