/** The system's codes for failed connections, in words. */
const TEXTS: { readonly [code: string]: string } = {
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

/** The text for a failed connection by the system's code; a text stays as it is. */
export function errorText(code: string): string {
  return TEXTS[code] ?? (code.includes(' ') ? code : code.toLowerCase());
}
