import type { BalancerStatus, BanList, ServerStatus, StatusEvent } from '../../control/status/status.js';

type SnakeKey<Key extends string> = Key extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${SnakeKey<Rest>}`
    : `_${Lowercase<First>}${SnakeKey<Rest>}`
  : Key;

/** Data as in the admin API: `uptimeMs` is `uptime_ms`. */
type SnakeCased<T> = T extends readonly (infer Item)[]
  ? readonly SnakeCased<Item>[]
  : T extends object
    ? { readonly [Key in keyof T as Key extends string ? SnakeKey<Key> : Key]: SnakeCased<T[Key]> }
    : T;

/** The content of `/api/status`, where servers have no events. */
export type StatusView = SnakeCased<BalancerStatus>;
export type ServerView = Omit<SnakeCased<ServerStatus>, 'events'>;
export type RouteView = StatusView['routes'][number];
export type ThreadView = StatusView['threads'][number];
export type EventView = SnakeCased<StatusEvent>;
export type MaintenanceView = StatusView['maintenance'][number];
export type CertificateView = StatusView['certificates'][number];
/** The content of `/api/bans`. */
export type BansView = SnakeCased<BanList>;
export type BanView = BansView['bans'][number];

/** One second of `/api/traffic`. Times in ms; null without requests. */
export interface TrafficView {
  /** ms since the epoch: when the second ended. */
  readonly at: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** The name and address of a new server, as in the file. */
export interface NewServerView {
  readonly address: string;
  readonly route?: string;
  readonly name?: string;
  readonly weight?: number;
  readonly backup?: boolean;
}
