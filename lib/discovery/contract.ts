import type { SourceConfig } from '../config/types.js';

/**
 * Servers that come by themselves: what a source of them (DNS, files, an inventory over HTTP, containers) and a balancer
 * say to each other. A kind of source is a class that implements `Source`, in a file of its own, an entry in
 * `source-kinds.ts`, its settings in `config/types/providers.ts` and `config/providers.ts`, and its key in `schema.json`.
 *
 * A source only asks and reports; `Provider` has the rules that all kinds share:
 *
 * - A source reports all its servers at once, as plain data. The list is checked and compared: an order that changes is
 *   no change.
 * - After an error the last good list stays in force, and the source is asked again: after 1 s, then after twice as long
 *   each time, up to a minute. No error makes a list shorter.
 * - An empty list after one with servers has to be confirmed by a second answer, a second later, unless the source has seen
 *   the servers leave.
 * - All intervals are lengthened at random by up to 10 %.
 * - Sources run once, in the control plane. What they say reaches every engine as one command: `ServerRegistry.provide`.
 */
export interface Source {
  /**
   * Finds out which servers there are, and calls `listener` once or more from then on, never before this returns. Called
   * again whenever the last answer is not valid any more, or was an error. An answer to an earlier call may still come.
   */
  ask(listener: SourceListener): void;
  /** Nothing is asked any more, and the listener is not called any more. */
  stop(): void;
}

/** What a source reports. It may do so at any time between `ask` and `stop`, also without being asked. */
export interface SourceListener {
  /**
   * All servers that there are. `validMs`: after this long the source is to be asked again. `trouble`: what is wrong with a
   * part of the answer, for which `servers` has what was good before; empty by default. `isCertain`: an empty list needs no
   * second answer, because the source has seen each of them leave; false by default.
   */
  onServers(
    servers: readonly DiscoveredServer[],
    validMs: number,
    trouble?: string,
    isCertain?: boolean,
  ): void;
  /** The source could not be asked, or its answer can't be used. `reason`: one line that says what is wrong and where. */
  onFailed(reason: string): void;
}

/** A server that a source reports; null: what the entry in the settings file says. Plain data. */
export interface DiscoveredServer {
  /** `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string;
  /** 1 to 64 visible ASCII characters without a colon; null: the address. */
  readonly name: string | null;
  /** 0 to 256. */
  readonly weight: number | null;
  readonly backup: boolean | null;
  /** 0 is no limit. */
  readonly maxConnections: number | null;
  /** The host name that the address was found by: for the Host field and the certificate of the server. */
  readonly host: string | null;
  /** Where in the source it was found, such as the path of a file; empty when the source is one place. */
  readonly origin: string;
}

/** waiting: it has not answered yet. current: its last answer is in force. failing: it is not, and an earlier one is. */
export type ProviderState = 'waiting' | 'current' | 'failing';

/** How a source is, as plain data. */
export interface ProviderStatus {
  /** The source as people write it: `file /etc/lb/targets/*.json`. */
  readonly source: string;
  readonly kind: SourceConfig['kind'];
  readonly state: ProviderState;
  /** The number of servers of the list in force. */
  readonly servers: number;
  /** When the last answer came that was good as a whole, in ms since the epoch; null: never. */
  readonly answeredAt: number | null;
  /** Why it is failing, or waits; empty when there is no reason. */
  readonly error: string;
  /** Since the start. */
  readonly errors: number;
}
