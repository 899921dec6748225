import { DrawnByWeight } from './drawn-by-weight.js';
import type { PickKey } from './scheduler.js';

/** Any candidate, by weight: many balancers side by side do not fall into step. */
export class Random extends DrawnByWeight {
  pick(_key: PickKey, tried: readonly number[]): number {
    this.draw.begin(tried);
    return this.draw.draw();
  }
}
