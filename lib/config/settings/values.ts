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

/** `200`, `200-399`, or a list of these. */
export type StatusesSetting = string | number | readonly (string | number)[];

/** `10%`. */
export type PercentSetting = string;

/** An address, a CIDR, or a file with one a line. */
export type NetworkSetting = string | { readonly file: string };
