import type { Address } from '../../base/address.js';
import type { RegexConfig } from '../regex.js';
import type {
  AlgorithmFallback,
  AlgorithmName,
  DnsSettings,
  PassiveHealthSettings,
  PoolSettings,
} from '../settings.js';
import type { FieldMatch, Numbers, StatusRange } from './values.js';

export interface ServerConfig {
  readonly address: Address;
  /** What logs and the access line call it; the address's text unless given. One name is one address. */
  readonly name: string;
  /** Connections open at once; 0 is no limit. */
  readonly maxConnections: number;
  /** Its share of the work as against the others', 0 to 256; with 0 only clients that are bound to it come. */
  readonly weight: number;
  /** Used only while no other server of its group can be. */
  readonly backup: boolean;
}

/** How a group chooses a server. */
export interface AlgorithmConfig {
  readonly name: AlgorithmName;
  /** What `hash` and `ip_hash` tell requests apart by; null for all others. */
  readonly on: RequestKeyConfig | null;
  /** `hash`: for requests that have nothing of the kind. `client_ip` is hashed in its place. */
  readonly fallback: AlgorithmFallback;
  /** `hash`, `ip_hash`: how many times its share of the requests in flight a server gets at most; 0 is no bound. */
  readonly balanceFactor: number;
}

/** Something that requests are told apart by. Header names are in lower case; only fields have a name. */
export interface RequestKeyConfig {
  readonly kind: 'client_ip' | 'uri' | 'path' | 'header' | 'cookie' | 'param';
  readonly name: string;
}

/** By what clients stay with their server. */
export type StickyConfig =
  | {
      readonly kind: 'cookie';
      readonly name: string;
      /** null: one made up at the start. */
      readonly secret: string | null;
      /** s; 0: as long as the browser runs. */
      readonly maxAge: number;
      /** Empty: the host that issued it. */
      readonly domain: string;
      readonly path: string;
      readonly sameSite: 'Lax' | 'Strict' | 'None';
      readonly partitioned: boolean;
      /** No shared cache may keep what issues it. */
      readonly nocache: boolean;
    }
  | {
      /** An address has no name. */
      readonly kind: 'header' | 'param' | 'client_ip';
      readonly name: string;
      /** ms that a value is remembered for after its last request; 0: not at all. */
      readonly expire: number;
    };

/** How a server is asked whether it is well. A `tcp` check connects and asks nothing. */
export interface HealthCheckConfig {
  readonly type: 'http' | 'tcp';
  /** Where it is asked: an address, another port of its host, or (null) where its requests go. */
  readonly target: Address | number | null;
  readonly method: string;
  readonly path: string;
  /** Has somebody chosen the path, or is it a guess? */
  readonly isPathChosen: boolean;
  /** The Host field; null: the address that is asked. */
  readonly host: string | null;
  /** Further fields of the request. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** Content of the request; empty: none. */
  readonly body: string;
  readonly expectStatus: readonly StatusRange[];
  /** Fields that must be in the answer. */
  readonly expectHeaders: readonly FieldMatch[];
  /** What must be found in the answer's content: a text in its first 64 KiB, or an expression in its first 8 KiB. */
  readonly expectBody: string | RegexConfig | null;
  /** ms between the end of one check and the start of the next. */
  readonly interval: number;
  /** The interval in ms while a change of the verdict is in the balance; never longer than `interval`. */
  readonly fastInterval: number;
  /** The interval in ms while the server is down; null: `interval`. */
  readonly downInterval: number | null;
  /** Share by which an interval is shortened or lengthened at random. */
  readonly jitter: number;
  /** ms for the whole check, connect included. */
  readonly timeout: number;
  /** Checks in a row that must pass before a server that is down is used again. */
  readonly rise: number;
  /** Checks in a row that must fail before a server is taken out. */
  readonly fall: number;
  /** What is believed before the first check. `unknown`: it is not used, and the first check alone decides. */
  readonly initial: 'up' | 'down' | 'unknown';
  /** What becomes of requests and tunnels on a server that goes down. */
  readonly onDown: 'finish' | 'cut';
}

/**
 * When live requests take a server out, and for how long. An error is a response with one of `errorStatus` (an empty list:
 * no response counts); a failure is a request that got no valid response.
 */
export type PassiveHealthConfig = Numbers<Omit<PassiveHealthSettings, 'error_status'>> & {
  readonly errorStatus: readonly StatusRange[];
};

/** The connections to each server of a group. */
export type PoolConfig = Numbers<PoolSettings> & {
  /** ms that an idle connection is kept at most where the server announces that it waits longer than `idleTimeout`. */
  readonly maxIdleTimeout: number;
};

/** How the names of servers become addresses. */
export type DnsConfig = Numbers<Omit<DnsSettings, 'servers'>> & {
  /** `address` or `address:port`; an empty list: the name servers of the system. */
  readonly servers: readonly string[];
};

/**
 * What may be tried again. connect: no connection was to be had. stale: one that had been open before was closed as
 * the request was sent. reset: any other was, before the head of the answer was whole. timeout: no answer in time.
 */
export type RetryCause = 'connect' | 'stale' | 'reset' | 'timeout';

export interface RetryConfig {
  /** Attempts behind the first. A stale connection that is replaced is none. */
  readonly attempts: number;
  readonly causes: readonly RetryCause[];
  /** Answers of which the client is to see nothing as long as there are attempts left. */
  readonly statuses: readonly StatusRange[];
  /** Retries as a share of the requests, from 0 to 1; null: no limit. */
  readonly budget: number | null;
  /** Bytes of a request body kept to be sent again. */
  readonly buffer: number;
  /** May any request with an Idempotency-Key be sent twice? */
  readonly idempotencyKey: boolean;
}

/** Servers that share the work, with what is asked of them. Two routes with the same servers by inheritance share one. */
export interface GroupConfig {
  /** `servers`, or whose they are: `servers of www.mango.com`. Unique, the same wherever it stands in the file. */
  readonly name: string;
  readonly servers: readonly ServerConfig[];
  readonly algorithm: AlgorithmConfig;
  /** ms in which a server comes to its full weight after it was out; 0 is at once. */
  readonly slowStart: number;
  readonly healthCheck: HealthCheckConfig | null;
  readonly passiveHealth: PassiveHealthConfig | null;
  readonly pool: PoolConfig;
  /** ms a connect may take: `timeouts.connect` where the servers are named. */
  readonly connectTimeout: number;
}
