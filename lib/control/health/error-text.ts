/** The system's words for a failed connection, as people say them. */
const SPOKEN: { readonly [code: string]: string } = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'name not found',
  EAI_AGAIN: 'name server does not answer',
  ENOENT: 'no such socket',
  EPIPE: 'reset',
};

/** A failed connection in words, of the system's code; what is in words already stays as it is. */
export function errorText(code: string): string {
  return SPOKEN[code] ?? (code.includes(' ') ? code : code.toLowerCase());
}
