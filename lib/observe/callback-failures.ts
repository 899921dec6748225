/**
 * Counts failures of callbacks that a balancer was given: observers, event listeners, the store for changes. What they
 * throw harms no request: the caller continues as if they had returned.
 */
export class CallbackFailures {
  /** Calls that threw, or returned a promise that was rejected. */
  count = 0;
  readonly #report: (line: string) => void;
  readonly #reported = new WeakSet<object>();

  /** `report` gets a line for the first failure of each owner. */
  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  /** Calls `callback` of `owner`; `name` describes it: `observer requestSettled`. */
  guard(owner: object, name: string, callback: () => unknown): void {
    try {
      this.watch(owner, name, callback());
    } catch (error) {
      this.note(owner, name, error);
    }
  }

  /** Counts a rejection of the promise that an async callback returned. */
  watch(owner: object, name: string, returned: unknown): void {
    const { then } = (returned ?? {}) as Partial<PromiseLike<unknown>>;
    if (typeof then === 'function')
      then.call(returned, undefined, (error: unknown) => this.note(owner, name, error));
  }

  /** Records that `owner` threw `error`. */
  note(owner: object, name: string, error: unknown): void {
    this.count++;
    if (this.#reported.has(owner)) return;
    this.#reported.add(owner);
    this.#report(`${name} threw ${textOf(error)}; later failures of it are only counted`);
  }
}

/** On one line, with the place where it was thrown if known. */
function textOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error).replace(/\s+/g, ' ');
    const [, place] = /\n {4}at (?:.*\()?([^\n()]+:\d+:\d+)\)?/.exec(error.stack ?? '') ?? [];
    const text = `${error.name}: ${error.message}`.replace(/\s+/g, ' ');
    return place === undefined ? text : `${text} (${place})`;
  } catch {
    return 'a value without text';
  }
}
