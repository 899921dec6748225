import type { Firewall } from '../firewall/firewall.js';
import type { GuardName } from '../firewall/guard.js';
import type { Refusals } from '../firewall/verdict.js';

/** What a guard of a firewall has refused in one thread since its report before. */
export interface GuardReport extends Refusals {
  /** Its `FirewallConfig.name`. */
  readonly firewall: string;
  readonly guard: GuardName;
}

/** Adds up in the firewalls of the main thread what those of engines have refused. */
export class GuardSums {
  readonly #firewallsNow: () => readonly Firewall[];
  /** By name, as they were when one was last looked for and not found. */
  #known = new Map<string, Firewall>();

  /** `firewallsNow`: those of the configuration in force. */
  constructor(firewallsNow: () => readonly Firewall[]) {
    this.#firewallsNow = firewallsNow;
  }

  /** Another configuration is in force: its firewalls have taken over the counts of those before. */
  renew(): void {
    this.#known = new Map();
  }

  include(reports: readonly GuardReport[]): void {
    for (const { firewall, guard, refused, observed } of reports)
      this.#find(firewall)?.include(guard, { refused, observed });
  }

  #find(name: string): Firewall | undefined {
    if (this.#known.size === 0)
      for (const firewall of this.#firewallsNow()) this.#known.set(firewall.name, firewall);
    return this.#known.get(name);
  }
}
