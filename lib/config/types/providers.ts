/** Files in the format of file_sd. */
export interface FileSourceConfig {
  readonly kind: 'file';
  /** The absolute path of the folder. */
  readonly folder: string;
  /** The name of a file, perhaps with * and ?. */
  readonly pattern: string;
}

/** Which addresses of a name are servers. auto: IPv4 or IPv6, whichever connects first. */
export type DnsFamily = 'auto' | 'ipv4' | 'ipv6' | 'both';

/** The addresses of a name. */
export interface DnsSourceConfig {
  readonly kind: 'dns';
  /** In lower case. */
  readonly name: string;
  readonly port: number;
  readonly family: DnsFamily;
}

/** SRV records. */
export interface SrvSourceConfig {
  readonly kind: 'srv';
  /** In lower case: `_http._tcp.api.internal`. */
  readonly name: string;
  readonly family: DnsFamily;
}

/** A URL that answers in the format of http_sd. */
export interface HttpSourceConfig {
  readonly kind: 'http';
  readonly url: string;
  /** ms between two questions. */
  readonly every: number;
  /** ms for a whole answer. */
  readonly timeout: number;
  /** The authorities that the certificate of an https URL is verified with, in PEM; null: those of the system. */
  readonly ca: string | null;
  /** Fields of the request, such as Authorization. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** Where servers come from that are not in the settings file. */
export type SourceConfig = DnsSourceConfig | SrvSourceConfig | FileSourceConfig | HttpSourceConfig;
