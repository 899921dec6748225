import { ValueError } from '../base/units.js';
import type { DockerSourceConfig } from '../config/types.js';
import type { Source, SourceListener } from './contract.js';
import type { DockerEngines } from './docker-engines.js';
import type { DockerFleet } from './docker-fleet.js';
import type { DockerWatch, FleetListener } from './docker-watch.js';

/** How often the list is asked for without an event, in ms. */
const LOOK_MS = 60_000;
/** The most problems that one line lists. */
const MOST_TOLD = 3;

/** The containers of an engine that a list of servers asks for. */
export class DockerSource implements Source, FleetListener {
  readonly #config: DockerSourceConfig;
  readonly #engines: DockerEngines;
  #watch: DockerWatch | null = null;
  #listener: SourceListener | null = null;

  constructor(config: DockerSourceConfig, { engines }: { readonly engines: DockerEngines }) {
    this.#config = config;
    this.#engines = engines;
  }

  ask(listener: SourceListener): void {
    this.#listener = listener;
    try {
      this.#watch ??= this.#engines.watch(this.#config.engine);
      this.#watch.ask(this);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const { message } = error;
      setImmediate(() => this.#listener?.onFailed(message));
    }
  }

  stop(): void {
    this.#listener = null;
    this.#watch?.leave(this);
  }

  onFleet(fleet: DockerFleet, isFirst: boolean): void {
    const { servers, problems } = fleet.answer(this.#config);
    // While events come, an empty list is what happened; after a pause the engine may not be ready yet.
    this.#listener?.onServers(servers, LOOK_MS, told(problems), !isFirst);
  }

  onLost(reason: string): void {
    this.#listener?.onFailed(reason);
  }
}

/** A line for all problems; empty without any. */
function told(problems: readonly string[]): string {
  const each = [...new Set(problems)];
  const first = each.slice(0, MOST_TOLD).join('; ');
  return each.length > MOST_TOLD ? `${first} (and ${each.length - MOST_TOLD} more)` : first;
}
