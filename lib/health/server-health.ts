import type { Backend } from '../backend/backend.js';
import type { GroupConfig } from '../config/types.js';
import { Checker, type HealthServices } from './checker.js';
import { OutlierDetector } from './outlier-detector.js';

/** How a server is judged. */
export type HealthTerms = Pick<GroupConfig, 'healthCheck' | 'passiveHealth'>;

/** All that judges one server: its checks, and how live requests go. */
export class ServerHealth {
  readonly #backend: Backend;
  readonly #services: HealthServices;
  #checker: Checker | null = null;
  #outliers: OutlierDetector | null = null;

  constructor(backend: Backend, { healthCheck, passiveHealth }: HealthTerms, services: HealthServices) {
    this.#backend = backend;
    this.#services = services;
    if (healthCheck !== null)
      this.#checker = new Checker(backend, healthCheck, healthCheck.initial, services);
    if (passiveHealth !== null) this.#outliers = new OutlierDetector(backend, passiveHealth, services);
  }

  /** Checks begin, or go on, in `delay` ms. */
  start(delay: number): void {
    this.#checker?.start(delay);
  }

  /**
   * Judges by other terms, and goes on from what is known: who is down stays down until its checks pass, and who was
   * not checked before counts as up. To be started again.
   */
  follow({ healthCheck, passiveHealth }: HealthTerms): void {
    if (healthCheck === null) {
      this.#checker?.dismiss();
      this.#checker = null;
    } else if (this.#checker === null) {
      this.#checker = new Checker(this.#backend, healthCheck, 'up', this.#services);
    } else {
      this.#checker.follow(healthCheck);
    }
    if (passiveHealth === null) {
      this.#outliers?.stop();
      this.#outliers = null;
    } else if (this.#outliers === null) {
      this.#outliers = new OutlierDetector(this.#backend, passiveHealth, this.#services);
    } else {
      this.#outliers.follow(passiveHealth);
    }
  }

  /** Nobody judges it any more. */
  stop(): void {
    this.#checker?.stop();
    this.#outliers?.stop();
  }
}
