/** What a server has done since it is known: only ever more. */
export class ServerCounters {
  /** Attempts that got a connection. */
  requests = 0;
  /** Answers by the first digit of their status, up to 9; `[0]` counts nothing. */
  readonly responses: number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** Attempts that ended without a whole answer and by no fault of the client. */
  failures = 0;
  connectFailures = 0;
  /** Connections that were cut in mid-request. */
  resets = 0;
  /** Attempts made here because another server had failed. */
  retries = 0;
  /** Body bytes sent to it. */
  bytesIn = 0;
  /** Body bytes it sent. */
  bytesOut = 0;
}
