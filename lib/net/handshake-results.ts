/**
 * How a handshake ended. ok and resumed: successful. timeout: it took too long. plain_http: the client spoke HTTP without
 * TLS. All others are failures: garbage: not TLS. client_left: the client closed before the end. gave_way: its place was
 * needed for another connection. unrecognized_name: no certificate for the name. no_protocol, no_version, no_cipher: none
 * in common. no_certificate, bad_certificate: of the client, if one is required. client_refused: an alert of the client,
 * which usually rejects our certificate. error: anything else.
 */
export const HANDSHAKE_RESULTS = [
  'ok',
  'resumed',
  'timeout',
  'plain_http',
  'garbage',
  'client_left',
  'gave_way',
  'unrecognized_name',
  'no_protocol',
  'no_version',
  'no_cipher',
  'no_certificate',
  'bad_certificate',
  'client_refused',
  'error',
] as const;
export type HandshakeResult = (typeof HANDSHAKE_RESULTS)[number];

/** Handshakes that ended since the start, by result. */
export class HandshakeCounts {
  readonly #byResult = new Map<HandshakeResult, number>(HANDSHAKE_RESULTS.map((result) => [result, 0]));

  count(result: HandshakeResult): void {
    this.#byResult.set(result, (this.#byResult.get(result) ?? 0) + 1);
  }

  get byResult(): ReadonlyMap<HandshakeResult, number> {
    return this.#byResult;
  }
}

/** The error codes of OpenSSL, as Node spells them in `code`. */
const BY_CODE: readonly (readonly [code: RegExp, result: HandshakeResult])[] = [
  [/NO_APPLICATION_PROTOCOL/, 'no_protocol'],
  [
    /UNSUPPORTED_PROTOCOL|WRONG_SSL_VERSION|VERSION_TOO_LOW|WRONG_VERSION_NUMBER|INAPPROPRIATE_FALLBACK/,
    'no_version',
  ],
  [/NO_SHARED_CIPHER|NO_SUITABLE|NO_SHARED_(SIGNATURE|GROUP)/, 'no_cipher'],
  [/DID_NOT_RETURN_A_CERTIFICATE/, 'no_certificate'],
  [/BAD_CERTIFICATE_VERIFY|BAD_SIGNATURE|CERTIFICATE_VERIFY_FAILED/, 'bad_certificate'],
  [/_ALERT_|ALERT_DESCRIPTION/, 'client_refused'],
  [/^(ECONNRESET|EPIPE|ETIMEDOUT)$/, 'client_left'],
];

/** null: the client left. */
export function resultOf(error: NodeJS.ErrnoException | null): HandshakeResult {
  if (error === null) return 'client_left';
  const { code = '' } = error;
  return BY_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? 'error';
}
