import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import type { AcmeConfig } from '../config/types.js';
import { AcmeChallenges } from './acme-challenges.js';
import { AcmeManager, type AcmeStatus } from './acme-manager.js';
import type { AcmeCertificate, AcmeListener, AcmeSource, PemPair } from './acme-source.js';
import type { OpenAcmeStore } from './acme-store.js';
import type { ChallengeToken } from './published-certificates.js';

export interface AcmeDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Where managers keep what they have; by default in the folders that their terms name. */
  readonly openStore?: OpenAcmeStore | undefined;
}

/** A manager, and the certificates that it is to have after `install`. */
interface Staged {
  readonly key: string;
  readonly manager: AcmeManager;
}

/**
 * The certificates that are ordered by ACME, of all listeners. There is a manager for each authority, store and account;
 * a reload keeps those that both configurations have.
 */
export class Acme implements AcmeSource {
  readonly challenges: AcmeChallenges;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #openStore: OpenAcmeStore | undefined;
  #managers = new Map<string, AcmeManager>();
  #staged: readonly Staged[] = [];
  /** Called after each change: makes listeners use it. */
  listener: AcmeListener = () => {};

  /** `onTokens`: as of `AcmeChallenges`. */
  constructor(
    { clock, observer, openStore }: AcmeDeps,
    onTokens: (tokens: readonly ChallengeToken[]) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#openStore = openStore;
    this.challenges = new AcmeChallenges(onTokens);
    this.#observer = observer;
  }

  /**
   * Makes ready for these terms: reads their stores and makes self-signed certificates. `install` or `discard` has to
   * follow. It does not reject.
   */
  async stage(configs: readonly AcmeConfig[]): Promise<void> {
    const staged = new Map<
      string,
      { readonly config: AcmeConfig; readonly groups: Map<string, readonly string[]> }
    >();
    for (const config of configs) {
      const { hosts: _, groups, ...terms } = config;
      const key = JSON.stringify(terms);
      const known = staged.get(key) ?? { config, groups: new Map() };
      for (const group of groups) known.groups.set(group.join(' '), group);
      staged.set(key, known);
    }
    const all = [...staged].map(([key, { config, groups }]) => {
      const manager = this.#managers.get(key) ?? this.#create(config);
      return { key, manager, groups: [...groups.values()] };
    });
    this.#staged = all;
    await Promise.all(all.map(({ manager, groups }) => manager.stage(groups)));
  }

  #create(config: AcmeConfig): AcmeManager {
    return new AcmeManager(config, {
      clock: this.#clock,
      observer: this.#observer,
      challenges: this.challenges,
      onChange: (hosts) => this.listener(hosts),
      openStore: this.#openStore,
    });
  }

  /** What was staged is ordered from now on, and nothing else. Listeners are to be open: the authority asks them. */
  install(): void {
    const before = this.#managers;
    this.#managers = new Map(this.#staged.map(({ key, manager }) => [key, manager]));
    this.#staged = [];
    for (const [key, manager] of before) if (!this.#managers.has(key)) manager.stop();
    for (const manager of this.#managers.values()) manager.install();
  }

  /** What was staged is not wanted: the configuration was refused. */
  discard(): void {
    for (const { key, manager } of this.#staged) {
      if (this.#managers.get(key) === manager) manager.discard();
      else manager.stop();
    }
    this.#staged = [];
  }

  certificateFor(host: string): AcmeCertificate | null {
    for (const manager of this.#managers.values()) {
      const certificate = manager.certificateFor(host);
      if (certificate !== null) return certificate;
    }
    for (const { manager } of this.#staged) {
      const certificate = manager.certificateFor(host);
      if (certificate !== null) return certificate;
    }
    return null;
  }

  challengeFor(host: string): PemPair | null {
    return this.challenges.certificateFor(host);
  }

  /** In the order of the configuration. */
  get statuses(): AcmeStatus[] {
    return [...this.#managers.values()].flatMap((manager) => manager.statuses);
  }

  stop(): void {
    for (const { manager } of this.#staged) manager.stop();
    for (const manager of this.#managers.values()) manager.stop();
  }
}
