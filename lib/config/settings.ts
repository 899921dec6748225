import type { AccessLogField, AccessLogFormat, AlgorithmFallback, AlgorithmName } from './types.js';

/**
 * A configuration as a person writes it, in YAML or in a program. `schema.json` describes every key; whatever is
 * left out has a default.
 */
export interface Settings extends ScopeSettings {
  readonly listen?: AddressSetting | readonly AddressSetting[];
  readonly access_log?: AccessLogFormat | AccessLogSettings;
  readonly events?: EventsSettings;
  readonly trusted_proxies?: readonly string[];
  readonly dns?: DnsSettings;
  readonly timeouts?: TimeoutsSettings;
  readonly limits?: LimitsSettings;
  readonly hosts?: readonly HostSettings[];
  readonly tests?: readonly TestSettings[];
}

/** What may be set for the file, a host, a path or a single route. */
export interface RouteSettings {
  readonly servers?: readonly ServerSetting[];
  readonly redirect?: RedirectSettings;
  readonly respond?: RespondSettings;
  readonly header_rules?: HeaderRulesSettings;
  readonly response_header_rules?: HeaderRulesSettings;
  readonly param_rules?: EditSettings;
  readonly cookie_rules?: EditSettings;
  readonly rewrite_rules?: RewriteRulesSettings;
  readonly firewall_rules?: FirewallSettings;
  readonly preserve_host?: boolean;
  readonly algorithm?: AlgorithmSetting;
  readonly slow_start?: DurationSetting;
  readonly sticky?: StickySettings | false;
  readonly health_check?: HealthCheckSettings | boolean;
  readonly passive_health?: PassiveHealthSettings | boolean;
  readonly pool?: PoolSettings;
  readonly retry?: RetrySettings | boolean;
  readonly timeouts?: Omit<TimeoutsSettings, 'request_header' | 'keep_alive' | 'drain'>;
  readonly limits?: Pick<LimitsSettings, 'body_bytes'>;
}

/** What may be set where requests are told apart. */
export interface ScopeSettings extends RouteSettings {
  readonly routes?: readonly ConditionalSettings[];
  readonly paths?: readonly PathSettings[];
}

export interface HostSettings extends ScopeSettings {
  readonly host: string | readonly string[];
}

export interface PathSettings extends RouteSettings {
  readonly path: string;
  readonly strip_prefix?: boolean;
  readonly routes?: readonly ConditionalSettings[];
}

export interface ConditionalSettings extends RouteSettings {
  readonly match: MatchSettings;
}

export interface MatchSettings {
  readonly path?: string;
  readonly method?: OneOrMore;
  readonly header?: TextSettings;
  readonly param?: TextSettings;
  readonly cookie?: TextSettings;
  readonly language?: OneOrMore;
  readonly client_ip?: OneOrMore;
}

/** `8080`, `host:8080`, `[v6]:8080` or `unix:/path`. */
export type AddressSetting = string | number;

/** `5s`, `200ms`, `1m`, `1h`, or ms. */
export type DurationSetting = string | number;

/** `64kb`, `1mb`, or bytes. */
export type SizeSetting = string | number;

export type OneOrMore = string | readonly string[];

export type TextSetting = string | number | boolean;

export type TextSettings = Readonly<Record<string, TextSetting>>;

/** A list of names, or a map of which only the keys count. */
export type NamesSetting = readonly string[] | Readonly<Record<string, unknown>>;

export type ServerSetting =
  | AddressSetting
  | {
      readonly address: AddressSetting;
      readonly name?: string;
      readonly weight?: number;
      readonly backup?: boolean;
      readonly max_connections?: number;
    };

export type AlgorithmSetting = AlgorithmName | AlgorithmSettings;

export interface AlgorithmSettings {
  readonly name: AlgorithmName;
  /** `client_ip`, `uri`, `path`, `header.NAME`, `cookie.NAME` or `param.NAME`. */
  readonly on?: string;
  readonly fallback?: AlgorithmFallback;
  readonly balance_factor?: number;
}

/** One of `cookie`, `header` and `param`; the others go with `cookie`. */
export interface StickySettings {
  readonly cookie?: string;
  readonly secret?: string;
  readonly max_age?: DurationSetting;
  readonly header?: string;
  readonly param?: string;
}

/** `200`, `200-399`, or a list of these. */
export type StatusesSetting = string | number | readonly (string | number)[];

/** `10%`. */
export type PercentSetting = string;

export interface HealthCheckSettings {
  readonly type?: 'http' | 'tcp';
  readonly address?: AddressSetting;
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: TextSettings;
  readonly body?: string;
  readonly expect_status?: StatusesSetting;
  readonly expect_header?: TextSettings;
  readonly expect_body?: string;
  readonly interval?: DurationSetting;
  readonly fast_interval?: DurationSetting;
  readonly down_interval?: DurationSetting;
  readonly jitter?: PercentSetting;
  readonly timeout?: DurationSetting;
  readonly rise?: number;
  readonly fall?: number;
  readonly initial?: 'up' | 'down' | 'unknown';
  readonly on_down?: 'finish' | 'cut';
}

export interface PassiveHealthSettings {
  readonly consecutive_failures?: number;
  readonly consecutive_errors?: number;
  readonly error_status?: StatusesSetting | false;
  readonly window?: DurationSetting;
  readonly failure_share?: PercentSetting;
  readonly minimum_requests?: number;
  readonly eject_for?: DurationSetting;
  readonly max_eject_for?: DurationSetting;
  readonly max_ejected?: PercentSetting;
  readonly trial_requests?: number;
}

export interface PoolSettings {
  readonly max_idle?: number;
  readonly idle_timeout?: DurationSetting;
  readonly max_connections?: number;
  readonly max_waiting?: number;
  readonly max_age?: DurationSetting;
  readonly max_requests?: number;
  readonly pipelining?: number;
}

export interface DnsSettings {
  readonly servers?: readonly string[];
  readonly min_ttl?: DurationSetting;
  readonly max_ttl?: DurationSetting;
}

export interface RetrySettings {
  readonly attempts?: number;
  readonly on?: readonly (string | number)[];
  /** `20%`, or false for no limit. */
  readonly budget?: string | boolean;
  readonly buffer?: SizeSetting;
  readonly idempotency_key?: boolean;
}

export interface AccessLogSettings {
  readonly format?: AccessLogFormat;
  readonly file?: string;
  readonly fields?: readonly AccessLogField[];
  readonly status?: StatusesSetting;
  readonly slower_than?: DurationSetting;
  readonly sample?: PercentSetting;
}

export interface EventsSettings {
  readonly webhook: string;
  readonly secret?: string;
  readonly timeout?: DurationSetting;
}

export interface TimeoutsSettings {
  readonly request_header?: DurationSetting;
  readonly request_body?: DurationSetting;
  readonly keep_alive?: DurationSetting;
  readonly connect?: DurationSetting;
  readonly queue?: DurationSetting;
  readonly response_header?: DurationSetting;
  readonly response_body?: DurationSetting;
  readonly tunnel?: DurationSetting;
  readonly drain?: DurationSetting;
}

export interface LimitsSettings {
  readonly header_bytes?: SizeSetting;
  readonly headers?: number;
  readonly uri_bytes?: SizeSetting;
  readonly body_bytes?: SizeSetting;
  readonly connections?: number;
  readonly connections_per_ip?: number;
}

export interface RedirectSettings {
  readonly to: string;
  readonly status?: number;
}

export interface RespondSettings {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: TextSettings;
}

export interface EditSettings {
  readonly add?: TextSettings;
  readonly remove?: NamesSetting;
}

export interface HeaderRulesSettings extends EditSettings {
  readonly append?: TextSettings;
  /** Header names, each with what to find and what to put there. */
  readonly replace?: Readonly<Record<string, TextSettings>>;
}

export interface RewriteRulesSettings {
  readonly strip_prefix?: string;
  readonly replace?: TextSettings;
  readonly add_prefix?: string;
}

/** An address, a CIDR, or a file with one a line. */
export type NetworkSetting = string | { readonly file: string };

export interface FirewallSettings {
  readonly ip_reject?: string | readonly NetworkSetting[];
  readonly ip_allow?: string | readonly NetworkSetting[];
  readonly path_reject?: OneOrMore;
  readonly method_reject?: OneOrMore;
  readonly header_reject?: TextSettings;
  readonly rate_limit?: RateLimitSettings;
  readonly max_connections_per_ip?: number;
  readonly ban?: BanSettings;
  readonly mode?: 'enforce' | 'observe';
}

export interface RateLimitSettings {
  readonly requests: number;
  readonly per?: DurationSetting;
  readonly burst?: number;
  /** `client_ip`, `header.NAME` or `cookie.NAME`. */
  readonly key?: string;
  readonly status?: number;
}

export interface BanSettings {
  readonly status: StatusesSetting;
  readonly count: number;
  readonly within?: DurationSetting;
  readonly for?: DurationSetting;
}

export interface TestSettings {
  readonly request: string;
  readonly headers?: TextSettings;
  readonly ip?: string;
  readonly expect: ExpectSettings;
}

export interface ExpectSettings {
  readonly route?: string;
  readonly status?: number;
  readonly path?: string;
  readonly query?: string;
  readonly location?: string;
  readonly header?: TextSettings;
  readonly no_header?: NamesSetting;
}
