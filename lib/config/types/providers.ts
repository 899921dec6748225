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

/** A container engine. */
export interface DockerEngineConfig {
  /** `unix:///run/docker.sock` or `tcp://10.0.0.5:2376`; null: that of DOCKER_HOST, or /var/run/docker.sock. */
  readonly socket: string | null;
  /** Of a tcp socket, in PEM; null: without TLS, or what DOCKER_TLS_VERIFY says. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
}

/** A label that a container is to have. */
export interface ContainerLabel {
  readonly name: string;
  /** null: any. */
  readonly value: string | null;
}

/** Which containers of an engine are servers. */
export type ContainerChoice =
  /** Those that have all of these labels. */
  | { readonly kind: 'labels'; readonly labels: readonly ContainerLabel[] }
  /** Those whose own labels ask for this route, such as `www.mango.com/api`, if they have all of these labels too. */
  | { readonly kind: 'route'; readonly route: string; readonly labels: readonly ContainerLabel[] }
  /** Those whose own labels ask for any route, if they have all of these labels too. */
  | { readonly kind: 'routes'; readonly labels: readonly ContainerLabel[] };

/** Containers of an engine. */
export interface DockerSourceConfig {
  readonly kind: 'docker';
  readonly engine: DockerEngineConfig;
  readonly choice: ContainerChoice;
  /** The port in the containers; null: what their labels say, or the one that they expose. */
  readonly port: number | null;
  /** The network by which they are reached; null: one that can be. */
  readonly network: string | null;
}

/** Where servers come from that are not in the settings file. */
export type SourceConfig =
  | DnsSourceConfig
  | SrvSourceConfig
  | FileSourceConfig
  | HttpSourceConfig
  | KubernetesSourceConfig
  | DockerSourceConfig;
