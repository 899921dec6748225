import { type Answer, type Call, json } from './call.js';
import { snakeCase } from './snake-case.js';
import type { Subject } from './subject.js';

/** The clients that are refused for what they did, and their way back in. */
export class BansApi {
  readonly #subject: Subject;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  list(): Answer {
    return json(snakeCase(this.#subject.bans()));
  }

  lift({ name }: Call): Answer {
    return json({ client: name, rules: this.#subject.unban(name) });
  }
}
