/** OpenSSL's reason, in words. */
export function opensslTrouble(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ERR_SSL_EE_KEY_TOO_SMALL: 'its key is too small for this version of OpenSSL',
    ERR_SSL_CA_KEY_TOO_SMALL: 'the key of an authority in its chain is too small for this version of OpenSSL',
    ERR_SSL_CA_MD_TOO_WEAK: 'it is signed with a hash that this version of OpenSSL refuses',
    ERR_SSL_EE_MD_TOO_WEAK: 'it is signed with a hash that this version of OpenSSL refuses',
  };
  return known[code] ?? message;
}
