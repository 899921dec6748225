import type { MessagePort } from 'node:worker_threads';
import type { Address } from '../base/address.js';
import type { Config } from '../config/types.js';
import type { Changes } from '../control/changes.js';
import type { Resolution } from '../control/host-names.js';
import type { Answers } from '../control/provided-servers.js';
import type { ServerOperation } from '../control/server-registry.js';
import type { InheritedSocket } from '../net/inherited-sockets.js';
import type { ListeningSocket } from '../net/listeners.js';
import type { SocketMode } from '../net/transport.js';
import type { OutcomeKind } from '../servers/contracts.js';
import type { SharedMemoryHandle } from '../shared/shared-memory.js';
import type {
  CertificateNews,
  CertificateStart,
  PublishedCertificates,
} from '../tls/published-certificates.js';
import type { ReporterStart } from './report-messages.js';

/**
 * Everything that the control plane, in the main thread, and the engines in worker threads say to each other. Messages
 * arrive in the order in which they were posted. Every thread has the same servers and routes, as it follows the same
 * configurations and operations; servers are named by their numbers, the same in all threads.
 */

/** The number of each server by its key. */
export type ServerNumbers = readonly (readonly [key: string, number: number])[];

/** What an engine is to know of a server's health, which is judged in the control plane. */
export interface ServerHealthState {
  readonly number: number;
  readonly up: boolean;
  readonly ejected: boolean;
  readonly halfOpen: boolean;
  /**
   * When its slow start began, in ms of the clock: for an engine that begins during the slow start, and has not seen the server
   * come back. null for the others.
   */
  readonly slowSince: number | null;
}

/** A configuration on its way: its `GraphChunk`s wait in a port, so that the engine reads them in slices. */
export interface SentConfiguration {
  /** Holds a `ConfigurationParts`. */
  readonly port: MessagePort;
  readonly secret: Buffer | null;
}

export interface ConfigurationParts {
  readonly config: Config;
  readonly numbers: ServerNumbers;
  readonly certificates: PublishedCertificates;
}

/** What a worker thread is started with. */
export interface ThreadStart {
  /** From 1. */
  readonly thread: number;
  readonly shared: SharedMemoryHandle;
  /** When the clock of the main thread was 0, see `clockFrom`. */
  readonly clockZero: number;
  readonly sockets: SocketMode;
  readonly configuration: SentConfiguration;
  readonly changes: Changes;
  /** What sources of servers have told. */
  readonly answers: Answers;
  /** What is known of the host names of servers: threads ask no name server. */
  readonly hosts: ReadonlyMap<string, Resolution>;
  /** Of the servers that are not up and in use. */
  readonly health: readonly ServerHealthState[];
  /** Why the balancer is not ready for requests; empty when it is. */
  readonly obstacle: string;
  /** What listeners with TLS use besides the certificates. */
  readonly certificates: CertificateStart;
  /** How it reports what happens; its port has to be transferred. */
  readonly reports: ReporterStart;
}

/** What the control plane tells an engine. */
export type Command =
  /** A change of one server. `numbers`: of the servers of that name afterwards. */
  | { readonly what: 'operation'; readonly operation: ServerOperation; readonly numbers: ServerNumbers }
  | ({ readonly what: 'health' } & ServerHealthState)
  /** All connections to the server are cut. */
  | { readonly what: 'cut'; readonly number: number }
  | { readonly what: 'readiness'; readonly obstacle: string }
  /** It is this thread's turn to do the work of its `prepare`. */
  | { readonly what: 'take_turn' }
  /** Gives up the configuration that is prepared, or being prepared. */
  | { readonly what: 'discard' }
  | { readonly what: 'end_outdated' }
  /** Every answer ends its connection from now on. */
  | { readonly what: 'announce' }
  /** Another process goes on with the sockets. */
  | { readonly what: 'hand_over' }
  | ({ readonly id: number } & Question);

/** A command that is answered by a `done` or a `failed`. */
export type Question =
  /** Listens. `at`: the addresses that another thread has bound; empty for those of the configuration. */
  | {
      readonly what: 'open';
      readonly at: readonly Address[];
      /** Sockets that this process was started with: descriptors that no other thread owns. */
      readonly inherited: readonly InheritedSocket[];
    }
  /** Answers with what another process needs to go on with the sockets of the thread. */
  | { readonly what: 'sockets' }
  /** Makes a configuration ready, with its listeners, when its turn has come, and answers with their addresses. */
  | {
      readonly what: 'prepare';
      readonly configuration: SentConfiguration;
      /** As in `open`, for listeners that are new. */
      readonly at: readonly Address[];
    }
  /** Puts the prepared configuration into force. `numbers`: of servers that were added since. */
  | { readonly what: 'install'; readonly numbers: ServerNumbers }
  /** Certificates, challenges or ticket keys have changed: answers when new handshakes use them. */
  | { readonly what: 'certificates'; readonly news: CertificateNews }
  /** Answers at once: all commands before it have been followed. */
  | { readonly what: 'answer' }
  /** Answers at once, also while a command before it waits: the thread does not hang. */
  | { readonly what: 'alive' }
  /** Answers when the last connection of a client has ended. */
  | { readonly what: 'drain' }
  /** Cuts everything, and answers. */
  | { readonly what: 'stop' };

/** An error of another thread: a copy of an error has none of the fields that the system gave it. */
export interface SentError {
  readonly message: string;
  readonly stack: string;
  readonly fields: { readonly [name: string]: unknown };
}

/** How an attempt ended that did not succeed. */
export interface BadOutcome {
  readonly number: number;
  readonly kind: OutcomeKind;
  readonly status: number;
  readonly durationMs: number;
  /** What this thread had counted of successful attempts on the server by then (`SuccessCounts`). */
  readonly successes: number;
}

export interface FailedConnect {
  readonly number: number;
  /** The failure is a `connect_timeout`, else a `connect_failed` or of TLS. */
  readonly reason: string;
  readonly detail: string;
}

/** What an engine reports about its servers, by which the control plane judges their health. */
export interface ServerReports {
  readonly outcomes: readonly BadOutcome[];
  /** Servers on trial that have passed a request. */
  readonly passed: readonly number[];
  readonly failedConnects: readonly FailedConnect[];
  /** 5xx answers and failed attempts. */
  readonly errors: readonly (readonly [number: number, count: number])[];
  /** Servers that are ejected, and that a group of this engine needs. */
  readonly needed: readonly number[];
}

/** What an engine tells the control plane. */
export type Report =
  /** The configuration has been built, and listeners can be opened. */
  | { readonly what: 'built' }
  | {
      readonly what: 'done';
      readonly id: number;
      readonly addresses: readonly Address[];
      /** Only the answer to `sockets` has any; null: descriptors are not known. */
      readonly sockets: readonly ListeningSocket[] | null;
    }
  | { readonly what: 'failed'; readonly id: number; readonly error: SentError }
  | ({ readonly what: 'servers' } & ServerReports);
