import type { RequestRecord } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import type { Config } from '../config/types.js';
import type { CertificateReload } from '../control/certificates.js';
import type { BanOperations, MaintenanceOperations, Operations } from '../control/status/operations.js';
import type {
  BalancerStatus,
  CertificateStatus,
  ServerStatus,
  StatusEvent,
} from '../control/status/status.js';
import type { StatusViews } from '../control/status/status-views.js';
import type { StickyMemory } from '../exchange/sticky-memory.js';
import type { InheritedSockets } from '../net/inherited-sockets.js';

/** What the admin listener shows and controls: the part of a balancer that operators see. */
export interface AdminTarget extends Operations, MaintenanceOperations, BanOperations {
  /** The current configuration. */
  readonly config: Config;
  /** Which clients are bound to which server, for binding by a value. */
  readonly bindings: StickyMemory;
  /** Why it is not ready for requests, one line each; empty when it is ready. */
  readonly readyReasons: readonly string[];
  /** What people look at, in parts. */
  readonly views: StatusViews;
  /** For `inSlices`: with 10,000 hosts it takes a while. */
  statusSteps(): Steps<BalancerStatus>;
  /**
   * Has the threads report, so that the figures are of this moment: resolves when they are, at the latest after 50 ms.
   * null: they are already, because there is one thread.
   */
  collectFigures(): Promise<void> | null;
  /** Reads the files of certificates again. */
  reloadCertificates(): Promise<CertificateReload>;
  /** Those that clients are shown. */
  certificates(): readonly CertificateStatus[];
  /** Resolves when all threads follow the operations until now. */
  settled(): Promise<void>;
  /** Resolves when the server of this name has had a check, after `patience` ms at the latest; at once when it has no checks. */
  firstCheck(name: string, patience: number): Promise<void>;
  readonly serverNames: readonly string[];
  /** By the name of the server or, if no server has it, by its address. */
  serverStatus(name: string): ServerStatus | undefined;
  /** The events after number `since`, oldest first. */
  events(since: number): readonly StatusEvent[];
  /**
   * Calls `listener` for every settled request from now on, until the returned function is called. The record is valid during
   * the call. With several threads each costs the main thread 1.5 µs, and those are missing that it has no time for.
   */
  watchRequests(listener: (record: RequestRecord) => void): () => void;
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void;
}

/** The outcome of a reload. */
export interface ReloadOutcome {
  readonly ok: boolean;
  /** One line. */
  readonly message: string;
  /** Every problem with its position, as on a terminal; empty when there is none. */
  readonly report: string;
}

/** The outcome of an upgrade. */
export type UpgradeOutcome =
  | { readonly ok: true; readonly message: string; readonly pid: number; readonly version: string }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      /** The last lines of the new program's stderr; empty without any. */
      readonly report: string;
    };

/** How to do what the balancer does not do itself. */
export interface AdminDeps {
  /** Reloads the settings file; null without a file. */
  readonly reload: (() => Promise<ReloadOutcome>) | null;
  /**
   * Starts a new program that takes over. `patience`: how long it may take to become ready, in ms. null: there is no
   * program to start.
   */
  readonly upgrade?: ((patience: number | undefined) => Promise<UpgradeOutcome>) | null;
  /** The text for a scraper in pieces, and its type. Pieces of an async iterable are asked for as the scraper reads. */
  readonly metrics: () => Promise<{
    readonly type: string;
    readonly body: readonly Buffer[] | AsyncIterable<Buffer>;
  }>;
  /** Sockets that this process was started with. */
  readonly inherited?: InheritedSockets;
  /** Called with an error that is a bug. */
  readonly report: (error: unknown) => void;
}
