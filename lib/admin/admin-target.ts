import type { Steps } from '../base/slices.js';
import type { Config } from '../config/types.js';
import type { BanOperations, Operations } from '../control/status/operations.js';
import type { BalancerStatus, ServerStatus, StatusEvent } from '../control/status/status.js';
import type { StickyMemory } from '../exchange/sticky-memory.js';

/** What is looked at and steered: of a balancer, the part that an operator sees. */
export interface AdminTarget extends Operations, BanOperations {
  /** The configuration in force. */
  readonly config: Config;
  /** Which clients are bound to which server, where it is by a value of their own. */
  readonly bindings: StickyMemory;
  /** Why nobody should send it requests, a line each; empty when it is ready. */
  readonly readyReasons: readonly string[];
  /** For `inSlices`: of 10,000 hosts it takes a while. */
  statusSteps(): Steps<BalancerStatus>;
  readonly serverNames: readonly string[];
  /** By the name of the server or, if none has it, by its address. */
  serverStatus(name: string): ServerStatus | undefined;
  /** Those behind number `since`, oldest first. */
  events(since: number): readonly StatusEvent[];
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void;
}

/** What became of an attempt to read the settings file again. */
export interface ReloadOutcome {
  readonly ok: boolean;
  /** One line. */
  readonly message: string;
  /** Every problem with its place, as on a terminal; empty when it is good. */
  readonly report: string;
}

/** How to do what is not the balancer's own. */
export interface AdminDeps {
  /** Reads the settings file again; null when there is none. */
  readonly reload: (() => Promise<ReloadOutcome>) | null;
  /** The text that a scraper gets, with its type. */
  readonly metrics: () => Promise<{ readonly type: string; readonly body: readonly Buffer[] }>;
  /** Told of an error that is a bug. */
  readonly report: (error: unknown) => void;
}
