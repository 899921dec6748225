/**
 * Why a request of lb's own failed, in one line: the code of the system (`ECONNREFUSED`), or of TLS and HTTP what is wrong. Node's
 * messages go on after a semicolon or a line feed with what helps only people who read its source.
 */
export function requestErrorReason({ errno, code, message }: NodeJS.ErrnoException): string {
  return code !== undefined && errno !== undefined ? code : (message.split(/[;\n]/, 1)[0] as string);
}

/** The same of a request that `AbortSignal.timeout` ends after `timeout` ms. */
export function requestErrorWithin(timeout: number, error: NodeJS.ErrnoException): string {
  const { name, cause } = error;
  const isLate = name === 'TimeoutError' || (cause as Error | undefined)?.name === 'TimeoutError';
  return isLate ? `no answer within ${timeout} ms` : requestErrorReason(error);
}
