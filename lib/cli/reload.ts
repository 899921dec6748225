import type { Balancer } from '../balancer.js';
import { serversOf } from '../config/inventory.js';
import type { RunOptions } from './args.js';
import { renderFailures } from './check.js';
import { explainFailure } from './failure.js';
import type { Narrator } from './narrator.js';
import { PlanError, planFile } from './plan.js';
import type { Terminal } from './terminal.js';

/**
 * SIGHUP: reads the settings file again. It is checked as a whole first, its tests included; if anything is wrong with
 * it, everything that is wrong is printed and the settings from before stay in force.
 */
export class Reload {
  readonly #balancer: Balancer;
  readonly #file: string | null;
  readonly #options: RunOptions;
  readonly #terminal: Terminal;
  readonly #narrator: Narrator;
  /** One at a time, each after the one before. */
  #last: Promise<void> = Promise.resolve();

  constructor(
    balancer: Balancer,
    file: string | null,
    options: RunOptions,
    terminal: Terminal,
    narrator: Narrator,
  ) {
    this.#balancer = balancer;
    this.#file = file;
    this.#options = options;
    this.#terminal = terminal;
    this.#narrator = narrator;
  }

  run(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload());
    return this.#last;
  }

  async #reload(): Promise<void> {
    const file = this.#file;
    if (file === null) {
      this.#narrator.say('SIGHUP: there is no settings file to read again, nothing has changed');
      return;
    }
    try {
      const { config, warnings } = planFile(this.#options, file, this.#terminal.paint);
      this.#terminal.write(warnings);
      const failures = renderFailures(config, file, this.#terminal.paint);
      if (failures !== '') throw new PlanError(failures);
      await this.#balancer.reload(config);
      this.#narrator.expect(serversOf(config).length);
      this.#narrator.mention(`reloaded ${file}`);
    } catch (error) {
      this.#refuse(file, error);
    }
  }

  #refuse(file: string, error: unknown): void {
    if (error instanceof PlanError) {
      this.#terminal.write(error.report);
    } else {
      const explained = explainFailure(error, { listening: true });
      if (explained === null) throw error;
      this.#narrator.say(explained);
    }
    this.#narrator.say(`${file} was not taken over: the settings from before stay in force`);
  }
}
