import { type FirewallRefusal, type GuardName, UNDECIDED } from './guard.js';

/** What a firewall decided about a connection or a request. */
export interface Verdict {
  /** False also when the firewall only observes and would have refused; `guard` is set then. */
  readonly refused: boolean;
  /** The guard that refused, or would have; null when none did. */
  readonly guard: GuardName | null;
  /** `FirewallConfig.name` of the guard's firewall; empty when no guard refused. */
  readonly firewall: string;
  /** The status of the response, or what it would have been; 0 when no guard refused. */
  readonly status: number;
  /** Header lines for the response, each with its line end. */
  readonly fields: string;
  /** Did the guard refuse because the request's budget did not suffice to decide? */
  readonly undecided: boolean;
}

/** The verdict when no guard refused; compared by identity. */
export const PASSED: Verdict = Object.freeze({
  refused: false,
  guard: null,
  firewall: '',
  status: 0,
  fields: '',
  undecided: false,
});

/** How often a guard refused. */
export interface GuardCounts {
  /** `FirewallConfig.name` of the guard's firewall. */
  readonly firewall: string;
  readonly guard: GuardName;
  /** Refused connections and requests. */
  refused: number;
  /** Those that would have been refused if the firewall did not only observe. */
  observed: number;
}

/** Refusals since they were taken, by the counts of their guard; null: nobody takes them. */
let recent: Map<GuardCounts, Refusals> | null = null;

/** Refusals of one guard. */
export interface Refusals {
  refused: number;
  observed: number;
}

/**
 * The refusals of all guards of this thread since the last call, for another thread that adds them up; the first call
 * begins to count them.
 */
export function takeRefusals(): ReadonlyMap<GuardCounts, Refusals> {
  const taken = recent ?? new Map();
  recent = new Map();
  return taken;
}

function noteRefusal(counts: GuardCounts, refused: number, observed: number): void {
  if (recent === null) return;
  const refusals = recent.get(counts) ?? { refused: 0, observed: 0 };
  refusals.refused += refused;
  refusals.observed += observed;
  recent.set(counts, refusals);
}

/** A guard of one firewall: its refusals are counted here, and take effect only if `mode` is `enforce`. */
export class GuardPost<G extends { readonly name: GuardName }> {
  readonly guard: G;
  readonly counts: GuardCounts;
  readonly enforces: boolean;

  /** `before`: the count so far, which is continued. */
  constructor(guard: G, firewall: string, enforces: boolean, before: GuardCounts | undefined) {
    this.guard = guard;
    const { refused, observed } = before ?? { refused: 0, observed: 0 };
    // Requests in flight are still counted by the previous object.
    if (before?.firewall === firewall) this.counts = before;
    else this.counts = { firewall, guard: guard.name, refused, observed };
    this.enforces = enforces;
  }

  /** Counts a refusal and returns its verdict. */
  object(refusal: FirewallRefusal): Verdict {
    const { status, fields } = refusal;
    if (this.enforces) this.counts.refused++;
    else this.counts.observed++;
    noteRefusal(this.counts, this.enforces ? 1 : 0, this.enforces ? 0 : 1);
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
