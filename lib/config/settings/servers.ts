import type { AlgorithmFallback, AlgorithmName } from '../types.js';
import type {
  AddressSetting,
  DurationSetting,
  PercentSetting,
  SizeSetting,
  StatusesSetting,
  TextSettings,
} from './values.js';

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

/** One of `cookie`, `header`, `param` and `client_ip`; `expire` goes with the last three, all else with `cookie`. */
export interface StickySettings {
  readonly cookie?: string;
  readonly secret?: string;
  readonly max_age?: DurationSetting;
  readonly domain?: string;
  readonly path?: string;
  readonly same_site?: 'lax' | 'strict' | 'none';
  readonly partitioned?: boolean;
  readonly nocache?: boolean;
  readonly header?: string;
  readonly param?: string;
  readonly client_ip?: true;
  readonly expire?: DurationSetting;
}

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
