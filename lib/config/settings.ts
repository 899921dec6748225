import type {
  EditSettings,
  FirewallSettings,
  HeaderRulesSettings,
  RedirectSettings,
  RespondSettings,
  RewriteRulesSettings,
} from './settings/rules.js';
import type {
  AlgorithmSetting,
  DnsSettings,
  HealthCheckSettings,
  PassiveHealthSettings,
  PoolSettings,
  RetrySettings,
  ServerSetting,
  StickySettings,
} from './settings/servers.js';
import type {
  AddressSetting,
  DurationSetting,
  NamesSetting,
  OneOrMore,
  SizeSetting,
  StatusesSetting,
  TextSettings,
} from './settings/values.js';
import type { AccessLogField, AccessLogFormat } from './types.js';

export type * from './settings/rules.js';
export type * from './settings/servers.js';
export type * from './settings/values.js';

/**
 * A configuration as a person writes it, in YAML or in a program. `schema.json` describes every key; whatever is
 * left out has a default.
 */
export interface Settings extends ScopeSettings {
  readonly listen?: AddressSetting | readonly AddressSetting[];
  readonly admin?: AddressSetting | AdminSettings | boolean;
  readonly access_log?: AccessLogFormat | AccessLogSettings;
  readonly events?: EventsSettings;
  readonly state_file?: string;
  readonly trusted_proxies?: readonly string[];
  readonly forwarded?: boolean;
  readonly via?: boolean;
  readonly readiness_path?: string;
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
  readonly timeouts?: Omit<
    TimeoutsSettings,
    'request_header' | 'keep_alive' | 'connection_age' | 'drain_delay' | 'drain'
  >;
  readonly limits?: Pick<LimitsSettings, 'body_bytes' | 'body_rate'>;
}

/** What may be set where requests are told apart. */
export interface ScopeSettings extends RouteSettings {
  readonly language?: OneOrMore;
  readonly routes?: readonly ConditionalSettings[];
  readonly paths?: readonly PathSettings[];
}

export interface HostSettings extends ScopeSettings {
  readonly host: string | readonly string[];
}

export interface PathSettings extends RouteSettings {
  readonly path: string;
  readonly strip_prefix?: boolean;
  readonly language?: OneOrMore;
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
  readonly peer_ip?: OneOrMore;
  readonly scheme?: OneOrMore;
  readonly not?: MatchSettings;
  readonly any?: readonly MatchSettings[];
}

export interface AdminSettings {
  readonly listen?: AddressSetting;
  readonly token?: string;
  readonly read_token?: string;
  readonly hosts?: OneOrMore;
}

export interface AccessLogSettings {
  readonly format?: AccessLogFormat;
  readonly file?: string;
  readonly fields?: readonly AccessLogField[];
  readonly status?: StatusesSetting;
  readonly slower_than?: DurationSetting;
  /** `10%`. */
  readonly sample?: string;
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
  readonly connection_age?: DurationSetting;
  readonly connect?: DurationSetting;
  readonly queue?: DurationSetting;
  readonly response_header?: DurationSetting;
  readonly response_body?: DurationSetting;
  readonly total?: DurationSetting;
  readonly tunnel?: DurationSetting;
  readonly drain_delay?: DurationSetting;
  readonly drain?: DurationSetting;
}

export interface LimitsSettings {
  readonly header_bytes?: SizeSetting;
  readonly headers?: number;
  readonly uri_bytes?: SizeSetting;
  readonly body_bytes?: SizeSetting;
  readonly body_rate?: SizeSetting;
  readonly connections?: number;
  readonly connections_per_ip?: number;
  readonly requests_per_connection?: number;
}

export interface TestSettings {
  readonly request: string;
  readonly headers?: TextSettings;
  readonly ip?: string;
  readonly expect: ExpectSettings;
}

export interface ExpectSettings {
  readonly route?: string;
  readonly closed?: boolean;
  readonly status?: number;
  readonly path?: string;
  readonly query?: string;
  readonly location?: string;
  readonly header?: TextSettings;
  readonly no_header?: NamesSetting;
}
