import type {
  DurationSetting,
  NamesSetting,
  NetworkSetting,
  OneOrMore,
  StatusesSetting,
  TextSettings,
} from './values.js';

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
