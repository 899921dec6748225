/**
 * A text somebody wrote, in a file or on the command line, that cannot be understood. `message` says what was
 * expected and what was there, without a full stop; `hint` is a sentence that says what to write, or empty.
 */
export class ValueError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(message);
    this.name = 'ValueError';
    this.hint = hint;
  }
}
