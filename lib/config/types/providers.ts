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

/** The EndpointSlices of a Service. */
export interface KubernetesSourceConfig {
  readonly kind: 'kubernetes';
  /** null: the namespace of the pod that lb is in, or of the context. */
  readonly namespace: string | null;
  readonly service: string;
  /** The name of a port of the Service, or the number of a port of its pods; null: the only one. */
  readonly port: string | number | null;
  /** auto: IPv4, or IPv6 where there is no IPv4. */
  readonly family: DnsFamily;
  /** The absolute path of a kubeconfig; null: the service account of the pod that lb is in. */
  readonly kubeconfig: string | null;
  /** A context of the kubeconfig; null: its current one. */
  readonly context: string | null;
}

/** Where servers come from that are not in the settings file. */
export type SourceConfig =
  | DnsSourceConfig
  | SrvSourceConfig
  | FileSourceConfig
  | HttpSourceConfig
  | KubernetesSourceConfig;
