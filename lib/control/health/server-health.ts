import { identityOf } from '../../base/identity.js';
import type { GroupConfig } from '../../config/types.js';
import type { EngineServer } from '../../servers/engine-contract.js';
import { Checker, type HealthDeps } from './checker.js';
import { HealthRecord } from './health-record.js';
import { OutlierDetector } from './outlier-detector.js';

/** The settings by which a server's health is judged. */
export type HealthTerms = Pick<GroupConfig, 'healthCheck' | 'passiveHealth'>;

/** Who judges a server: its checks and live requests, or in an engine's thread the control plane. */
export interface ServerJudge {
  readonly record: HealthRecord;
  /** Does the server have checks? */
  readonly isChecked: boolean;
  /** Begins or continues checks in `delay` ms. */
  start(delay: number): void;
  /** Uses other terms. True when checks must be started again. */
  applyTerms(terms: HealthTerms): boolean;
  stop(): void;
}

/** Everything that judges one server's health: its checks, and the outcomes of live requests. */
export class ServerHealth implements ServerJudge {
  readonly record: HealthRecord;
  readonly #server: EngineServer;
  readonly #services: HealthDeps;
  #terms: HealthTerms;
  #checker: Checker | null = null;
  #outliers: OutlierDetector | null = null;

  /** `isNew`: it comes while requests are served, and may still be starting. */
  constructor(server: EngineServer, terms: HealthTerms, services: HealthDeps, isNew = false) {
    const { healthCheck, passiveHealth } = terms;
    this.#server = server;
    this.record = new HealthRecord(services.wheel);
    server.watch(this.record);
    this.#terms = terms;
    this.#services = services;
    if (healthCheck !== null)
      this.#checker = new Checker(server, healthCheck, healthCheck.initial, services, this.record, isNew);
    if (passiveHealth !== null)
      this.#outliers = new OutlierDetector(server, passiveHealth, services, this.record);
  }

  /** Does the server have checks? */
  get isChecked(): boolean {
    return this.#checker !== null;
  }

  /** Begins or continues checks in `delay` ms. */
  start(delay: number): void {
    this.#checker?.start(delay);
  }

  /**
   * Uses other terms, and keeps what is known: a server that is down stays down until its checks pass, and a server
   * without checks so far counts as up. True when the checks are different and must be started again.
   */
  applyTerms(terms: HealthTerms): boolean {
    const asked = identityOf(terms.healthCheck) !== identityOf(this.#terms.healthCheck);
    if (asked) this.#followCheck(terms.healthCheck);
    this.#followOutliers(terms.passiveHealth);
    this.#terms = terms;
    return asked;
  }

  #followCheck(healthCheck: HealthTerms['healthCheck']): void {
    if (healthCheck === null) {
      this.#checker?.dismiss();
      this.#checker = null;
    } else if (this.#checker === null) {
      this.#checker = new Checker(this.#server, healthCheck, 'up', this.#services, this.record);
    } else {
      this.#checker.applyConfig(healthCheck);
    }
  }

  #followOutliers(passiveHealth: HealthTerms['passiveHealth']): void {
    if (passiveHealth === null) {
      this.#outliers?.stop();
      this.#outliers = null;
    } else if (this.#outliers === null) {
      this.#outliers = new OutlierDetector(this.#server, passiveHealth, this.#services, this.record);
    } else {
      this.#outliers.applyConfig(passiveHealth);
    }
  }

  /** Ends all judging. */
  stop(): void {
    this.#checker?.stop();
    this.#outliers?.stop();
  }
}
