import type { SharedConfig } from '../config/types.js';

/** Where something failed. */
export interface FailurePlace {
  /** `host:port`; empty: not known. */
  readonly address: string;
  readonly role: 'server' | 'sentinel';
}

/** The settings that decide what is to be mended. */
export type FailureTerms = Pick<SharedConfig, 'kind' | 'password' | 'pem' | 'prefix'>;

/** What failed, as it was reported. */
interface Failure extends FailurePlace, FailureTerms {
  /** `Redis at host:port`. */
  readonly name: string;
  readonly message: string;
}

/** What a person has to mend, for an error whose code and text match; null: it means something else here. */
type Cause = readonly [pattern: RegExp, explain: (failure: Failure) => string | null];

const CERTIFICATES: readonly Cause[] = [
  [/CERT_HAS_EXPIRED/, ({ name }) => `the certificate of ${name} has expired: renew it`],
  [/CERT_NOT_YET_VALID/, ({ name }) => `the certificate of ${name} is not valid yet: compare the clocks`],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    ({ name, message }) =>
      `the certificate of ${name} is of other names (${message.trim()}): write one of its names in shared.redis`,
  ],
  [
    /UNABLE_TO_|SELF_SIGNED_CERT|CERT_UNTRUSTED|INVALID_CA|CERT_SIGNATURE_FAILURE/,
    ({ name, message, pem }) =>
      `the certificate of ${name} cannot be verified (${message}): ` +
      (pem === null
        ? 'set shared.ca to the certificate of the authority that issued it'
        : 'shared.ca is not the authority that issued it'),
  ],
  [
    /wrong.version.number|packet.length.too.long|http.request/i,
    ({ name }) => `${name} does not speak TLS: write redis:// in place of rediss://, or the port of TLS`,
  ],
  [
    /alert.(certificate.required|handshake.failure|bad.certificate)/i,
    ({ name }) =>
      `${name} asks for a certificate of the client, which lb has none of: set tls-auth-clients no`,
  ],
];

const ACCESS: readonly Cause[] = [
  [
    /NOAUTH/,
    ({ name, role }) =>
      `${name} asks for a password: ` +
      (role === 'server'
        ? 'set shared.password'
        : 'write it in the first URL of shared.redis, and set shared.password to that of the servers'),
  ],
  [
    /WRONGPASS|ERR invalid password/,
    ({ name, role, password }) =>
      `${name} refuses the user or the password: correct ` +
      (role === 'server' && password !== null
        ? 'shared.user and shared.password'
        : `${role === 'server' ? 'them' : 'those of sentinels'} in the first URL of shared.redis`),
  ],
  [
    /NOPERM/,
    ({ name, message, prefix }) =>
      `the user of ${name} lacks a right (${message}): it needs ~${prefix}:* +@read +@write +@scripting +@connection +time`,
  ],
  [
    /DENIED Redis is running in protected mode/,
    ({ name }) =>
      `${name} has no password, and takes connections of its own machine only (protected-mode): set a password there`,
  ],
  [/Command timed out|connect ETIMEDOUT/, ({ name }) => `${name} does not answer`],
  [/max number of clients/, ({ name }) => `${name} has as many clients as it allows: raise its maxclients`],
];

const KINDS: readonly Cause[] = [
  [
    /unknown command\W+sentinel/i,
    ({ name }) =>
      `${name} is no sentinel: write addresses of sentinels in shared.redis, or leave out shared.sentinel`,
  ],
  [
    /unknown command\W+eval/i,
    ({ name, kind }) =>
      kind === 'single'
        ? `${name} runs no scripts: if it is a sentinel, set shared.sentinel to the name of its group`
        : null,
  ],
  [
    /^\W*(MOVED|CROSSSLOT)/,
    ({ name, kind }) =>
      kind === 'cluster' ? null : `${name} is a node of a cluster: set shared.cluster to true`,
  ],
  [/cluster support disabled/, ({ name }) => `${name} is no cluster: leave out shared.cluster`],
];

const CAUSES = [...CERTIFICATES, ...ACCESS, ...KINDS];

/**
 * An error of Redis, of a connection to it or of the client in words that name what has to be mended; its own text
 * where only those who run Redis can mend it.
 */
export function explainFailure(
  error: Pick<NodeJS.ErrnoException, 'message' | 'code'>,
  place: FailurePlace,
  terms: FailureTerms,
): string {
  // Of a name with several addresses Node collects the errors, and says nothing itself.
  const message = error.message.trim() || error.code || 'it failed without a reason';
  const text = `${error.code ?? ''} ${message}`;
  const failure: Failure = { ...terms, ...place, name: nameOf(place), message };
  for (const [pattern, explain] of CAUSES) {
    const words = pattern.test(text) ? explain(failure) : null;
    if (words !== null) return words;
  }
  return message;
}

/** A peer has taken a connection, and not said a word. */
export function explainSilence(place: FailurePlace, isTls: boolean): string {
  const name = nameOf(place);
  return isTls
    ? `${name} answers nothing to TLS: if it does not speak TLS on this port, write redis:// in place of rediss://`
    : `${name} ends connections at once: if it speaks TLS on this port, write rediss:// in place of redis://`;
}

function nameOf({ address, role }: FailurePlace): string {
  if (role === 'sentinel') return `the sentinel ${address}`;
  return address === '' ? 'Redis' : `Redis at ${address}`;
}
