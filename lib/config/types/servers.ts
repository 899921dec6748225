import type { Address } from '../../base/address.js';
import type { RegexConfig } from '../regex.js';
import type {
  AlgorithmFallback,
  AlgorithmName,
  DnsSettings,
  PassiveHealthSettings,
  PoolSettings,
} from '../settings.js';
import type { SourceConfig } from './providers.js';
import type { ServerTlsConfig } from './tls.js';
import type { FieldMatch, Numbers, StatusRange } from './values.js';

export interface ServerConfig {
  readonly address: Address;
  /** The name in logs; by default the address. One name stands for one address. */
  readonly name: string;
  /** Connections open at once; 0 is no limit. */
  readonly maxConnections: number;
  /** The share of requests relative to the other servers, 0 to 256; with 0 only clients that are bound to it come. */
  readonly weight: number;
  /** Used only while no other server of its group can be. */
  readonly backup: boolean;
  /** null: plain HTTP. */
  readonly tls: ServerTlsConfig | null;
  /** The version of the PROXY header that every connection begins with; null: none. */
  readonly sendProxy: 'v1' | 'v2' | null;
}

/** How a list of servers uses a source. */
export interface ProviderConfig {
  /** The source as people write it: `file /etc/lb/targets/*.json`. */
  readonly text: string;
  /** The same for equal sources: they are asked once, whichever lists have them. */
  readonly key: string;
  readonly source: SourceConfig;
  /** What its servers have where the source says nothing else. */
  readonly terms: ProvidedTerms;
}

export type ProvidedTerms = Omit<ServerConfig, 'address' | 'name'>;

/** How a group chooses a server. */
export interface AlgorithmConfig {
  readonly name: AlgorithmName;
  /** What `hash` and `ip_hash` distribute by; null for all others. */
  readonly on: RequestKeyConfig | null;
  /** `hash`: the algorithm for requests without the key. `client_ip` hashes the client's address instead. */
  readonly fallback: AlgorithmFallback;
  /** `hash`, `ip_hash`: how many times its fair share of requests in flight a server may have; 0 is no bound. */
  readonly balanceFactor: number;
}

/** What identifies a request or its client. Header names are in lower case; only fields have a name. */
export interface RequestKeyConfig {
  readonly kind: 'client_ip' | 'uri' | 'path' | 'header' | 'cookie' | 'param';
  readonly name: string;
}

/** What binds clients to their server. */
export type StickyConfig =
  | {
      readonly kind: 'cookie';
      readonly name: string;
      /** null: a random one made at the start. */
      readonly secret: string | null;
      /** In seconds; 0: until the browser is closed. */
      readonly maxAge: number;
      /** Empty: the host that set the cookie. */
      readonly domain: string;
      readonly path: string;
      readonly sameSite: 'Lax' | 'Strict' | 'None';
      readonly partitioned: boolean;
      /** Responses that set the cookie must not be stored by shared caches. */
      readonly nocache: boolean;
    }
  | {
      /** Empty for `client_ip`. */
      readonly kind: 'header' | 'param' | 'client_ip';
      readonly name: string;
      /** ms that a value is remembered after its last request; 0: not at all. */
      readonly expire: number;
    };

/** How the health of servers is checked. A `tcp` check only connects. */
export interface HealthCheckConfig {
  readonly type: 'http' | 'tcp';
  /** What is checked: an address, another port of the server's host, or (null) the server's own address. */
  readonly target: Address | number | null;
  readonly method: string;
  readonly path: string;
  /** Is the path set, not the default? */
  readonly isPathChosen: boolean;
  /** The Host field; null: the address that is checked. */
  readonly host: string | null;
  /** Additional fields of the request. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** The body of the request; empty: none. */
  readonly body: string;
  readonly expectStatus: readonly StatusRange[];
  /** Fields that the response must have. */
  readonly expectHeaders: readonly FieldMatch[];
  /** What the body of the response must contain: a text in its first 64 KiB, or an expression in its first 8 KiB. */
  readonly expectBody: string | RegexConfig | null;
  /** ms between the end of one check and the start of the next. */
  readonly interval: number;
  /** The interval in ms after a result that differs from the server's state; never longer than `interval`. */
  readonly fastInterval: number;
  /** The interval in ms while the server is down; null: `interval`. */
  readonly downInterval: number | null;
  /** Share by which an interval is shortened or lengthened at random. */
  readonly jitter: number;
  /** The timeout of a whole check in ms, connecting included. */
  readonly timeout: number;
  /** Checks in a row that must pass before a server that is down is used again. */
  readonly rise: number;
  /** Checks in a row that must fail before a server is taken out. */
  readonly fall: number;
  /** The state before the first check. `unknown`: the server is not used, and the first check alone decides. */
  readonly initial: 'up' | 'down' | 'unknown';
  /** What happens to requests and tunnels on a server that goes down. */
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
 * What is retried. connect: no connection could be opened. stale: a connection that had been used before was closed
 * while the request was sent. reset: any other connection was closed before the response head was complete. timeout: no
 * response in time.
 */
export type RetryCause = 'connect' | 'stale' | 'reset' | 'timeout';

export interface RetryConfig {
  /** Attempts after the first. Replacing a stale connection does not count. */
  readonly attempts: number;
  readonly causes: readonly RetryCause[];
  /** Responses that are not sent to the client as long as there are attempts left. */
  readonly statuses: readonly StatusRange[];
  /** Retries as a share of the requests, from 0 to 1; null: no limit. */
  readonly budget: number | null;
  /** Bytes of a request body that are kept for a retry. */
  readonly buffer: number;
  /** May any request with an Idempotency-Key be retried? */
  readonly idempotencyKey: boolean;
}

/** Servers that share requests, and their settings. Two routes that inherit the same servers share one group. */
export interface GroupConfig {
  /** `servers`, or with its scope: `servers of www.mango.com`. Unique, and independent of its place in the file. */
  readonly name: string;
  /** Those of the file. */
  readonly servers: readonly ServerConfig[];
  /** Where further servers come from, in the order of the file. */
  readonly providers: readonly ProviderConfig[];
  readonly algorithm: AlgorithmConfig;
  /** ms in which a server returns to its full weight after it was out; 0 is at once. */
  readonly slowStart: number;
  readonly healthCheck: HealthCheckConfig | null;
  readonly passiveHealth: PassiveHealthConfig | null;
  readonly pool: PoolConfig;
  /** The timeout in ms for opening a connection: `timeouts.connect` of the scope that lists the servers. */
  readonly connectTimeout: number;
}
