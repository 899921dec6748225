/** A certificate with its private key, both as PEM; `cert` has the whole chain, the certificate itself first. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate that stands for some names. */
export interface AcmeCertificate extends PemPair {
  /** In lower case. */
  readonly hosts: readonly string[];
  /** Served until the authority has issued one. */
  readonly isSelfSigned: boolean;
  /** Unix time in ms. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The certificates of ACME as the certificate store sees them. An object is never changed, only replaced by another. */
export interface AcmeSource {
  /** For a name in lower case; null: ACME has none for it. */
  certificateFor(host: string): AcmeCertificate | null;
  /** For a handshake that offers `acme-tls/1` and nothing else (RFC 8737); null: no challenge of this host is open. */
  challengeFor(host: string): PemPair | null;
}

/**
 * Gets the names whose certificate or challenge has changed. The promise resolves when new handshakes use it: only then
 * is the authority told that a challenge is ready.
 */
export type AcmeListener = (hosts: readonly string[]) => Promise<void> | void;
