import type { Observer } from '../base/observer.js';
import { Deadline } from '../base/timer-wheel.js';
import type { ProviderConfig } from '../config/types.js';
import type { DiscoveredServer, ProviderStatus } from './contract.js';
import { Provider, type ProviderDeps } from './provider.js';
import { openSource, type SourceDeps } from './source-kinds.js';

export interface ProvidersDeps extends SourceDeps {
  readonly observer: Observer;
  readonly onServers: (key: string, servers: readonly DiscoveredServer[]) => void;
  /** By default that of the language. */
  readonly random?: () => number;
}

const KEEP_ALIVE_MS = 60_000;

type Sources = ReadonlyMap<string, ProviderConfig>;

/**
 * The sources of servers of a balancer, each asked once, whichever lists have it. Those that two configurations have go on
 * over a reload. Sources of the next configuration are asked before it is in force.
 */
export class Providers {
  readonly #deps: ProvidersDeps;
  readonly #providerDeps: ProviderDeps;
  /** By key, in the order of the file. */
  #running = new Map<string, Provider>();
  /** Started for a configuration that is not in force yet. */
  readonly #staged = new Map<string, Provider>();
  #waiters: (() => void)[] = [];

  constructor(deps: ProvidersDeps) {
    this.#deps = deps;
    const { wheel, observer, onServers, random = Math.random } = deps;
    const onFirstAnswer = (): void => {
      for (const look of this.#waiters) look();
    };
    this.#providerDeps = { wheel, observer, onServers, onFirstAnswer, random };
  }

  /** Starts those of the next configuration that are not running. `install` or `discard` must follow. */
  stage(sources: Sources): void {
    this.discard();
    for (const [key, config] of sources) {
      if (this.#running.has(key)) continue;
      const provider = new Provider(config, openSource(config.source, this.#deps), this.#providerDeps);
      this.#staged.set(key, provider);
      provider.start();
    }
  }

  /** Resolves when every source that was staged has answered, or after `ms`. */
  async firstAnswers(ms: number): Promise<void> {
    if (ms === 0 || this.#allAnswered) return;
    await new Promise<void>((resolve) => {
      // Before it listens nothing else may keep the process alive: the wheel does not.
      const alive = setInterval(() => {}, KEEP_ALIVE_MS);
      const end = (): void => {
        clearInterval(alive);
        deadline.release();
        this.#waiters = this.#waiters.filter((other) => other !== look);
        resolve();
      };
      const look = (): void => {
        if (this.#allAnswered) end();
      };
      const deadline = new Deadline(this.#deps.wheel, { onDeadline: end });
      deadline.arm(ms);
      this.#waiters.push(look);
    });
  }

  get #allAnswered(): boolean {
    for (const provider of this.#staged.values()) if (!provider.hasAnswered) return false;
    return true;
  }

  /** The configuration with these sources is in force: all others end. */
  install(sources: Sources): void {
    const before = this.#running;
    this.#running = new Map();
    for (const key of sources.keys()) {
      const provider = before.get(key) ?? this.#staged.get(key);
      if (provider === undefined) continue;
      this.#running.set(key, provider);
      before.delete(key);
      this.#staged.delete(key);
    }
    for (const provider of before.values()) provider.stop();
    this.discard();
  }

  /** Ends what was started for a configuration that did not come into force. */
  discard(): void {
    for (const provider of this.#staged.values()) provider.stop();
    this.#staged.clear();
  }

  /** In the order of the file. */
  get statuses(): readonly ProviderStatus[] {
    const seen = new Map<string, number>();
    return [...this.#running.values()].map(({ status }) => {
      // Sources may differ in what the text leaves out: names of metrics must not be the same.
      const count = (seen.get(status.source) ?? 0) + 1;
      seen.set(status.source, count);
      return count === 1 ? status : { ...status, source: `${status.source} (${count})` };
    });
  }

  stop(): void {
    this.discard();
    for (const provider of this.#running.values()) provider.stop();
    this.#running.clear();
    // Nobody is waited for any more.
    for (const look of this.#waiters) look();
  }
}
