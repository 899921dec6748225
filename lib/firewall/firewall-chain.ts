import type { IpAddress } from '../base/ip-address.js';
import type { Firewall } from './firewall.js';
import type { GuardedRequest } from './guard.js';
import { PASSED, type Verdict } from './verdict.js';

/** The firewalls of a route, the outermost first: a request must pass all of them. */
export class FirewallChain {
  readonly firewalls: readonly Firewall[];

  constructor(firewalls: readonly Firewall[]) {
    this.firewalls = firewalls;
  }

  /**
   * The first refusal; without one, what an observing firewall would have refused, or PASSED. A request that is not
   * refused holds its places until `leave`; a refused one holds none.
   */
  judge(request: GuardedRequest, client: IpAddress): Verdict {
    let observed: Verdict = PASSED;
    for (let i = 0; i < this.firewalls.length; i++) {
      const verdict = (this.firewalls[i] as Firewall).judge(request, client);
      if (verdict.refused) {
        for (let entered = 0; entered < i; entered++) this.firewalls[entered]?.leave(client);
        return verdict;
      }
      if (observed === PASSED) observed = verdict;
    }
    return observed;
  }

  /** Call it once for each request that was not refused, when it has been answered. */
  leave(client: IpAddress): void {
    for (const firewall of this.firewalls) firewall.leave(client);
  }

  /** Records the status that a client got. */
  note(client: IpAddress, status: number): void {
    for (const firewall of this.firewalls) firewall.note(client, status);
  }
}
