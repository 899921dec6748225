import type { Address } from '../base/address.js';
import type { RequestRecord } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import type { Clock } from '../base/timer-wheel.js';
import type { Config, ListenerConfig } from '../config/types.js';
import type { DockerEngines } from '../discovery/docker-engines.js';
import type { StickyMemory } from '../exchange/sticky-memory.js';
import type { HandshakeResult } from '../net/handshake-results.js';
import type { InheritedSockets } from '../net/inherited-sockets.js';
import type { ListeningSocket } from '../net/listeners.js';
import type { TlsTerms } from '../net/tls-terms.js';
import type { SocketMode } from '../net/transport.js';
import type { CertificateReload } from './certificates.js';
import type { ChangeStore } from './changes.js';
import type { LiveBalancer } from './status/build-status.js';
import type { BanOperations, MaintenanceOperations, Operations } from './status/operations.js';
import type { BalancerStatus, CertificateStatus, ServerStatus, StatusEvent } from './status/status.js';
import type { StatusViews } from './status/status-views.js';
import type { Telemetry } from './telemetry.js';
import type { OuterCounts } from './telemetry-export.js';

/**
 * A running balancer. What the `Operations` change holds over a reload, until the file says the same; `status` lists
 * what differs from it.
 */
export interface Balancer extends Operations, MaintenanceOperations, BanOperations {
  /** Where it listens, after `start`: port 0 is resolved to the real one. */
  readonly addresses: readonly Address[];
  /** Client connections open now. */
  readonly clientCount: number;
  /** TLS handshakes of clients since the start, by how they ended. */
  readonly handshakes: ReadonlyMap<HandshakeResult, number>;
  /** The configuration in force. */
  readonly config: Config;
  /** Which clients are bound to which server, where it is by a value of their own (`sticky.header`, `sticky.param`). */
  readonly bindings: StickyMemory;
  /** What was counted of its requests. */
  readonly metrics: Telemetry['metrics'];
  /**
   * Reads the certificates and binds every listener. Rejects with a CertificateError, with the system's error (EADDRINUSE,
   * EACCES, …), or when it is stopped meanwhile, and then holds nothing open.
   */
  start(): Promise<void>;
  /**
   * Follows another configuration from the next request on: requests in flight end under the old one, servers that both
   * have keep their sockets, health and tunnels, listeners that both have stay open. Rejects with the system's error
   * when a new listener can't be bound, with a CertificateError when a certificate can't be used of which none is in force,
   * and with an OperationError while it drains, after it stopped, or when there would
   * be no route any more; then nothing has changed.
   */
  reload(config: Config): Promise<void>;
  /**
   * Announces the shutdown: readiness fails and every answer ends its connection, while requests are served as before.
   * Resolves after `timeouts.drain_delay`, or as soon as it drains or stops.
   */
  leave(): Promise<void>;
  /** What another process needs to go on with its sockets; null if this Node does not expose their descriptors. */
  sockets(): Promise<readonly ListeningSocket[] | null>;
  /**
   * Refuses reloads and what the `Operations` change until the returned function is called: another process has been told
   * what is in force. Resolves when what was under way is done.
   */
  holdChanges(): Promise<() => void>;
  /** Resolves when every thread has answered: none hangs. */
  isAlive(): Promise<void>;
  /** Another process accepts connections on its sockets: `drain` leaves these alone, and it stays ready while it drains. */
  handOver(pid: number, version: string): void;
  /** Tells the observers why another process did not take over. */
  refuseUpgrade(detail: string): void;
  /**
   * Stops accepting, answers what is in flight with `Connection: close`, and resolves when the last connection is
   * gone or `timeouts.drain` has passed. True if no request had to be cut: tunnels that are still open then are closed,
   * as there is no other end to them.
   */
  drain(): Promise<boolean>;
  /** Cuts everything at once. Safe to call at any time, also during `drain`. */
  stop(): void;
  /**
   * Resolves after `stop` when nothing is left of it: at once with one thread; with several when they have ended, in a second at
   * most, and their last requests were reported to observers. What a collector is to get takes a second more at most.
   */
  readonly ended: Promise<void>;
  /** Resolves when every thread has applied the changes made until now; at once with one thread. */
  settled(): Promise<void>;
  /** Resolves when the server of this name has had a check, after `patience` ms at the latest; at once when it has no checks. */
  firstCheck(name: string, patience: number): Promise<void>;
  /** Why it is not ready for requests, a line each; empty when it is ready. Known without looking at every route. */
  readonly readyReasons: readonly string[];
  /** What it is doing now, all of it as of this moment. With 10,000 hosts this holds up the event loop: see `statusSteps`. */
  status(): BalancerStatus;
  /** The same in steps, for `inSlices`: requests are served meanwhile, and each part is as of its step. */
  statusSteps(): Steps<BalancerStatus>;
  /** In the order of the file. */
  readonly serverNames: readonly string[];
  /** What it is doing with the server of this name or, if none has it, of this address; undefined if there is none. */
  serverStatus(name: string): ServerStatus | undefined;
  /** What people look at, in parts: costs little however many routes and servers there are. */
  readonly views: StatusViews;
  /** What metrics show, in steps. */
  figureSteps(): Steps<LiveBalancer>;
  /**
   * With several threads, what `status`, `figureSteps` and `metrics` say is up to a quarter of a second old. Has them report
   * now, and resolves when they have, at the latest after 50 ms. null: there is one thread, so all is of this moment.
   */
  collectFigures(): Promise<void> | null;
  /** Those of the last 200 events that came after number `since`, oldest first; all of them by default. */
  events(since?: number): readonly StatusEvent[];
  /**
   * Calls `listener` for every settled request from now on, until the returned function is called. Without a
   * listener nothing is spent. The record is valid during the call. With several threads each request then costs the main
   * thread 1.5 µs, and records that it has no time for are left out.
   */
  watchRequests(listener: (record: RequestRecord) => void): () => void;
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: (event: StatusEvent) => void): () => void;
  /** Tells the observers, in one line, why a file was not loaded; called by the code that read the file. */
  refuseReload(detail: string): void;
  /**
   * Reads the files of certificates again. New handshakes show what has changed; handshakes that have begun go on. A
   * file that cannot be used changes nothing: `refused` has the reasons, and each is an event.
   */
  reloadCertificates(): Promise<CertificateReload>;
  /** The paths of certificates, keys and folders of them: whenever one changes, `reloadCertificates` has something to do. */
  readonly certificateFiles: readonly string[];
  /** The TLS terms of the admin listener (`admin.tls`); null for plain HTTP. */
  readonly adminTerms: TlsTerms | null;
  /** The certificates that clients are shown, in the order of the file. */
  certificates(): readonly CertificateStatus[];
}

/** What a balancer is given besides its configuration; every default is the right one outside of tests. */
export interface BalancerOptions {
  /** Where time comes from; the machine by default. */
  readonly clock?: Clock;
  /**
   * How sockets are used, those of clients and those of servers. `fast`: by the handles below Node's sockets, which Node
   * does not document. `documented`: by `net.Server` and `net.Socket` alone, which costs more CPU per request. By default
   * what LB_SOCKETS in the environment says, or `fast`. `start` has the fast means tested, and goes on by documented ones
   * where they are missing or do not work; whenever these are in use it emits a `warning`, or without an observer of
   * warnings writes it to stderr.
   */
  readonly sockets?: SocketMode;
  /** The path of the settings file, as the status shows it; null by default. */
  readonly configPath?: string | null;
  /** Keeps what the `Operations` change over a restart; null by default. */
  readonly store?: ChangeStore | null;
  /** The folder of the local certificate authority, for `tls: internal`; by default lb in the data folder of the user. */
  readonly authority?: string;
  /** The TLS terms of a listener; null: plain HTTP. By default those of the settings. */
  readonly tlsTerms?: (listener: ListenerConfig) => TlsTerms | null;
  /** Sockets that this process was started with: a listener takes the one of its address instead of binding; none by default. */
  readonly inherited?: InheritedSockets;
  /** The container engines, where others ask them too. By default those of the balancer alone. */
  readonly engines?: DockerEngines;
  /**
   * How many threads serve clients: one is this thread; more are worker threads, beside this one. `settings`: as many as
   * the configuration says. By default 1, whatever the configuration says.
   */
  readonly workers?: number | 'settings';
  /** What is counted outside of the balancer and sent with its figures (`metrics.otlp`). */
  readonly counts?: OuterCounts;
}
