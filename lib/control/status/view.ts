import type { ListenerFigures } from '../../net/listeners.js';
import type { ConfigStatus, ServerEvent, ServerState, ServerTotals, StatusCounts } from './status.js';

/**
 * What a person looks at: some routes with some of their servers, and the tables that are open. All of it is plain data:
 * facts, and tables of rows that have an id, so that two views can be compared row by row. Times are ms since the epoch,
 * durations ms.
 */
export interface View {
  readonly facts: ViewFacts;
  readonly tables: { readonly [name in TableName]?: ViewTable };
}

/** Tables that are there only while they are looked at, and have at most 100 rows, what is wrong first. */
export const SECTIONS = [
  'certificates',
  'providers',
  'threads',
  'nodes',
  'firewall',
  'bans',
  'maintenance',
] as const;

export type Section = (typeof SECTIONS)[number];
export type TableName = 'routes' | 'servers' | Section;

/** What is asked for. */
export interface ViewQuery {
  /** Part of the name or match of a route, or of the name or address of a server, in lower case; empty: everything. */
  readonly search: string;
  /** Only routes and servers with something wrong. */
  readonly onlyWrong: boolean;
  /** Names of routes whose servers are shown, or not shown, whatever is usual for so many. */
  readonly unfolded: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
  /** How many routes are passed over, or with `route` how many of its servers. */
  readonly offset: number;
  /** Only this route, with its servers and its history; null: all. */
  readonly route: string | null;
  /** Only this server, in each of its routes, with its history; null: all. */
  readonly server: string | null;
  /** Sections that are shown, or not shown, whatever is usual for so many rows. */
  readonly open: ReadonlySet<Section>;
  readonly closed: ReadonlySet<Section>;
}

export interface ViewFacts {
  readonly version: string;
  readonly instance: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly state: string;
  readonly ready: boolean;
  readonly readyReasons: readonly string[];
  readonly listeners: readonly Pick<ListenerFigures, 'address' | 'scheme' | 'redirect' | 'proxyProtocol'>[];
  readonly clients: number;
  readonly requests: number;
  readonly inFlight: number;
  readonly byStatus: StatusCounts;
  readonly byReason: readonly { readonly reason: string; readonly count: number }[];
  readonly config: ConfigStatus;
  readonly routes: number;
  /** Routes in which no server takes requests. */
  readonly routesDown: number;
  readonly servers: number;
  /** Servers that take new requests. */
  readonly usable: number;
  /** Servers by their state; states that no server has are missing. */
  readonly byState: { readonly [state in ServerState]?: number };
  /** Servers with something wrong. */
  readonly wrong: number;
  /** How many rows each section has, shown or not. null: not counted while it is not shown. */
  readonly sections: { readonly [section in Section]: number | null };
  /** Certificates that are not valid or expire soon, and sources that fail. */
  readonly certificatesWrong: number;
  readonly providersFailing: number;
  /** The state of what nodes share; null: nothing is shared. `error`: why it is lost; empty otherwise. */
  readonly shared: { readonly state: string; readonly error: string } | null;
  /** The route or server that was asked for alone; null without one, or when there is none of this name. */
  readonly focus: ViewFocus | null;
}

/** One route or server, in full. */
export interface ViewFocus {
  readonly kind: 'route' | 'server';
  readonly name: string;
  /** The last five minutes, oldest first. */
  readonly history: readonly HistoryPoint[];
  /** What happened to it, oldest first; at most 60. */
  readonly events: readonly FocusEvent[];
  /** Of a server. */
  readonly totals: ServerTotals | null;
}

/** An event of a server or, when a route is looked at, of the route (`route`) or one of its servers (`server`). */
export interface FocusEvent extends ServerEvent {
  readonly server?: string;
  readonly route?: string;
}

/** The figures of ten seconds. */
export interface HistoryPoint {
  /** When they ended. */
  readonly at: number;
  readonly requests: number;
  /** Of a route: answers with 5xx. Of a server: the same, and attempts without an answer. */
  readonly errors: number;
  /** null without requests. */
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface ViewTable {
  /** All rows that there are, of which some are shown. */
  readonly total: number;
  readonly rows: readonly ViewRow[];
}

/** A row: `id` is its own in its table. */
export interface ViewRow {
  readonly id: string;
}

export interface RouteRow extends ViewRow {
  readonly match: string;
  readonly action: 'forward' | 'redirect' | 'respond';
  readonly algorithm: string;
  readonly requests: number;
  /** Requests per second, over about the last minute, as all of the following. */
  readonly rate: number;
  /** Answers with 5xx. */
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly downSince: number | null;
  /** Requests that wait for a server to come back; null without `hold`. */
  readonly held: number | null;
  /** Its servers, and those that take new requests. */
  readonly servers: number;
  readonly usable: number;
  readonly isFolded: boolean;
  /** How many of its servers suit what is asked for; the table of servers has the first of them. */
  readonly suitable: number;
}

export interface ServerRow extends ViewRow {
  readonly route: string;
  readonly name: string;
  readonly address: string;
  /** `verified`, `not verified`; empty: connections to it are not encrypted. */
  readonly tls: string;
  readonly state: ServerState;
  readonly since: number;
  /** Is it tried with one request at a time, after an ejection? */
  readonly isHalfOpen: boolean;
  /** Why it takes no new requests, in words; empty when it does. */
  readonly why: string;
  /** Who took it out of service, as far as is known: `192.0.2.1 (lb)`; empty otherwise. */
  readonly by: string;
  /** When its ejection ends; null: it is not ejected. */
  readonly until: number | null;
  readonly checkOk: boolean | null;
  readonly checkResult: string;
  readonly checkAt: number | null;
  readonly checkMs: number | null;
  readonly nextCheckAt: number | null;
  readonly backup: boolean;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly active: number;
  readonly waiting: number;
  readonly bound: number;
  readonly requests: number;
  readonly rate: number;
  /** 5xx answers and failed attempts of about the last minute. */
  readonly errors: number;
  /** Its part of the requests to all servers of the route in the last minute, 0 to 1. */
  readonly share: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly fromFile: boolean;
  readonly source: string;
}

/** A row that comes first in its table when something is wrong with it. */
export interface JudgedRow extends ViewRow {
  readonly isWrong: boolean;
}

/** A certificate, or an order of one by ACME that fails. */
export interface CertificateRow extends JudgedRow {
  /** The first of its names, and how many there are. */
  readonly name: string;
  readonly names: number;
  readonly notAfter: number | null;
  readonly state: string;
  readonly issuer: string;
  /** Its file, or `acme`, `internal`. */
  readonly from: string;
  /** Empty when there is none. */
  readonly problem: string;
}

/** A source of servers; `id` is the source as people write it. */
export interface ProviderRow extends JudgedRow {
  readonly kind: string;
  readonly state: string;
  readonly servers: number;
  readonly answeredAt: number | null;
  readonly error: string;
  readonly errors: number;
}

/** A thread that serves requests; `id` is its number. */
export interface ThreadRow extends ViewRow {
  readonly requests: number;
  readonly connections: number;
  readonly loopDelayMs: number;
  readonly busy: number;
  readonly since: number;
  readonly restarts: number;
}

/** A node that shares; `id` is its name, with a number where several have one name. */
export interface NodeRow extends ViewRow {
  readonly name: string;
  readonly isSelf: boolean;
  /** ms since its last sign of life, in whole seconds. */
  readonly seenMs: number;
  /** Requests per second. */
  readonly rate: number;
  /** Its part of the requests to all nodes, 0 to 1. */
  readonly share: number;
}

/** A guard of a firewall; `isWrong`: it has refused something. */
export interface FirewallRow extends JudgedRow {
  readonly rule: string;
  readonly guard: string;
  readonly refused: number;
  readonly observed: number;
}

export interface BanRow extends ViewRow {
  readonly client: string;
  readonly rule: string;
  readonly until: number;
  readonly observed: boolean;
}

/** A host or place in maintenance. */
export interface MaintenanceRow extends ViewRow {
  readonly name: string;
  readonly by: 'operator' | 'file';
  readonly since: number;
  readonly until: number | null;
  readonly allow: readonly string[];
}
