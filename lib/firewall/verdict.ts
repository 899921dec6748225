import { type FirewallRefusal, type GuardName, UNDECIDED } from './guard.js';

/** What became of a connection or a request at a firewall. */
export interface Verdict {
  /** False as well for what a firewall that observes would have refused: then `guard` names who would have. */
  readonly refused: boolean;
  /** Who objected; null when nobody did. */
  readonly guard: GuardName | null;
  /** `FirewallConfig.name` of where the guard stands; empty when nobody objected. */
  readonly firewall: string;
  /** What it is answered, or would have been; 0 when nobody objected. */
  readonly status: number;
  /** Header lines that go with the answer, each with its line end. */
  readonly fields: string;
  /** Did the guard object because it could not find out within the budget of the request? */
  readonly undecided: boolean;
}

/** The verdict when nobody objected; compared by identity. */
export const PASSED: Verdict = Object.freeze({
  refused: false,
  guard: null,
  firewall: '',
  status: 0,
  fields: '',
  undecided: false,
});

/** How often a guard objected. */
export interface GuardCounts {
  /** `FirewallConfig.name` of where it stands. */
  readonly firewall: string;
  readonly guard: GuardName;
  /** Refused connections and requests. */
  refused: number;
  /** Those that would have been refused, had the firewall not observed. */
  observed: number;
}

/** A guard as it stands in one firewall: its objections are counted here, and refuse only where `mode` is `enforce`. */
export class GuardPost<G extends { readonly name: GuardName }> {
  readonly guard: G;
  readonly counts: GuardCounts;
  readonly enforces: boolean;

  /** `before`: what was counted until now, to be gone on with. */
  constructor(guard: G, firewall: string, enforces: boolean, before: GuardCounts | undefined) {
    this.guard = guard;
    const { refused, observed } = before ?? { refused: 0, observed: 0 };
    // Requests in flight are still counted by the post before this one.
    if (before?.firewall === firewall) this.counts = before;
    else this.counts = { firewall, guard: guard.name, refused, observed };
    this.enforces = enforces;
  }

  /** Counts an objection and says what it comes to. */
  object(refusal: FirewallRefusal): Verdict {
    const { status, fields } = refusal;
    if (this.enforces) this.counts.refused++;
    else this.counts.observed++;
    return {
      refused: this.enforces,
      guard: this.guard.name,
      firewall: this.counts.firewall,
      status,
      fields,
      undecided: refusal === UNDECIDED,
    };
  }
}
