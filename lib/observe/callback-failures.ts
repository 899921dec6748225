/**
 * Failures of the callbacks that a balancer was given: its observers, listeners to its events, its store of changes. What
 * they throw is counted here, and harms no request: whoever calls one goes on as if it had returned.
 */
export class CallbackFailures {
  /** Calls that threw, or returned a promise that was rejected. */
  count = 0;
  readonly #report: (line: string) => void;
  readonly #reported = new WeakSet<object>();

  /** `report` is given a line for the first failure of each owner. */
  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  /** Calls `callback` of `owner`, which `name` is for people: `observer requestSettled`. */
  guard(owner: object, name: string, callback: () => unknown): void {
    try {
      this.watch(owner, name, callback());
    } catch (error) {
      this.note(owner, name, error);
    }
  }

  /** Counts a rejection of what a callback has returned, should it be an async one. */
  watch(owner: object, name: string, returned: unknown): void {
    const { then } = (returned ?? {}) as Partial<PromiseLike<unknown>>;
    if (typeof then === 'function')
      then.call(returned, undefined, (error: unknown) => this.note(owner, name, error));
  }

  /** `owner` threw `error`. */
  note(owner: object, name: string, error: unknown): void {
    this.count++;
    if (this.#reported.has(owner)) return;
    this.#reported.add(owner);
    this.#report(`${name} threw ${textOf(error)}; later failures of it are only counted`);
  }
}

/** On one line, with the place where it was thrown if that is known. */
function textOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error).replace(/\s+/g, ' ');
    const [, place] = /\n {4}at (?:.*\()?([^\n()]+:\d+:\d+)\)?/.exec(error.stack ?? '') ?? [];
    const text = `${error.name}: ${error.message}`.replace(/\s+/g, ' ');
    return place === undefined ? text : `${text} (${place})`;
  } catch {
    return 'what has no text';
  }
}
