import type { AdminTarget } from './admin-target.js';
import { type Answer, type Call, json } from './call.js';
import { snakeCase } from './config-view.js';

/** The banned clients, and how to lift a ban. */
export class BansApi {
  readonly #subject: AdminTarget;

  constructor(subject: AdminTarget) {
    this.#subject = subject;
  }

  list(): Answer {
    return json(snakeCase(this.#subject.bans()));
  }

  lift({ name }: Call): Answer {
    return json({ client: name, rules: this.#subject.unban(name) });
  }
}
