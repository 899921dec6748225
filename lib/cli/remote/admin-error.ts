/** The balancer could not be asked, or said no. The message is one line that says what to do. */
export class AdminError extends Error {
  /** One word for programs: that of the API, or `unreachable`, `no_answer`, `not_lb`, `bad_config`. */
  readonly code: string;
  /** More lines, as a terminal shows them; empty as a rule. */
  readonly details: string;

  constructor(code: string, message: string, details = '') {
    super(message);
    this.name = 'AdminError';
    this.code = code;
    this.details = details;
  }
}
