/**
 * A configuration as a person writes it, in YAML or in a program. `schema.json` describes every key; whatever is
 * left out has a default.
 */
export interface Settings {
  readonly listen?: AddressSetting | readonly AddressSetting[];
  readonly servers?: readonly ServerSetting[];
  readonly health_check?: HealthCheckSettings | boolean;
  readonly timeouts?: TimeoutsSettings;
  readonly limits?: LimitsSettings;
  readonly trusted_proxies?: readonly string[];
  readonly access_log?: 'dev' | 'combined' | 'json' | 'off';
}

/** `8080`, `host:8080`, `[v6]:8080` or `unix:/path`. */
export type AddressSetting = string | number;

/** `5s`, `200ms`, `1m`, `1h`, or ms. */
export type DurationSetting = string | number;

/** `64kb`, `1mb`, or bytes. */
export type SizeSetting = string | number;

export type ServerSetting = AddressSetting | { readonly address: AddressSetting; readonly name?: string };

export interface HealthCheckSettings {
  readonly path?: string;
  readonly interval?: DurationSetting;
  readonly timeout?: DurationSetting;
  readonly rise?: number;
  readonly fall?: number;
  /** `200`, `200-399`, or a list of these. */
  readonly expect_status?: string | number | readonly (string | number)[];
}

export type TimeoutsSettings = Readonly<
  Partial<
    Record<
      | 'request_header'
      | 'request_body'
      | 'keep_alive'
      | 'connect'
      | 'queue'
      | 'response_header'
      | 'response_body'
      | 'tunnel'
      | 'drain',
      DurationSetting
    >
  >
>;

export interface LimitsSettings {
  readonly header_bytes?: SizeSetting;
  readonly headers?: number;
  readonly uri_bytes?: SizeSetting;
  readonly body_bytes?: SizeSetting;
  readonly connections?: number;
  readonly connections_per_ip?: number;
}
