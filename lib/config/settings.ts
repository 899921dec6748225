// Written by `make types` from schema.json: change the schema, not this file.

/**
 * How the names of servers are resolved. A name is resolved again when its TTL has expired; the last good result is
 * used until a new one arrives. localhost, and names that only the hosts file has, are resolved by the system.
 */
export interface DnsSettings {
  /** Name servers to query, with a port if it is not 53. By default those of the system. */
  readonly servers?: readonly string[];
  /** The shortest TTL: a shorter one is raised to it. Default: "1s". */
  readonly min_ttl?: DurationSetting;
  /** The longest TTL: a longer one is cut to it. Default: "5m". */
  readonly max_ttl?: DurationSetting;
}

/** Deadlines. 0 switches a deadline off. */
export interface TimeoutsSettings {
  /** Time from the first byte of a request to the end of its head. Then the client gets 408. Default: "10s". */
  readonly request_header?: DurationSetting;
  /**
   * Longest pause in a request body, while the server is ready for it and the client sends nothing. Then the client
   * gets 408. Default: "30s".
   */
  readonly request_body?: DurationSetting;
  /** How long a client connection may be idle between two requests. Then it is closed. Default: "65s". */
  readonly keep_alive?: DurationSetting;
  /**
   * How long a client may take from when its connection is accepted until its TLS handshake is done. Then it is
   * closed. Default: "10s".
   */
  readonly tls_handshake?: DurationSetting;
  /**
   * How long a proxy may take, from when its connection is accepted, to send the PROXY header that its listener
   * expects. Then the connection is closed. Default: "3s".
   */
  readonly proxy_header?: DurationSetting;
  /**
   * The age (varied by a tenth) after which a client connection ends: the next response carries Connection: close. In
   * this way clients that keep connections open for ever learn new addresses of the balancer. Default: "1h".
   */
  readonly connection_age?: DurationSetting;
  /** Time to open a connection to a server. Then another server is tried, or the client gets 504. Default: "3s". */
  readonly connect?: DurationSetting;
  /**
   * How long a request waits for a free connection when all of a server's are in use. Then the client gets 503.
   * Default: "5s".
   */
  readonly queue?: DurationSetting;
  /**
   * Time from the end of the request to the end of the response head. Then the client gets 504. Long polls and slow
   * reports may need more: set this timeout for their path. Default: "60s".
   */
  readonly response_header?: DurationSetting;
  /**
   * Longest pause in a response body: no byte from the server, or none taken by the client. Then the connection is
   * cut. Default: "60s".
   */
  readonly response_body?: DurationSetting;
  /**
   * Time for a request as a whole, from the end of its head to the end of its response, including its body, waiting
   * for a connection and every retry (response_header limits a single attempt). Then the client gets 504, or the
   * connection is cut if the response has begun. Does not apply to tunnels. Default: 0.
   */
  readonly total?: DurationSetting;
  /** How long an upgraded connection (WebSocket) may be idle in both directions. Then it is closed. Default: "1h". */
  readonly tunnel?: DurationSetting;
  /**
   * At a start or a reload: how long lb waits for the first answer of sources of servers (file and the like) that
   * have not answered yet. After that it serves without their servers until they answer. 0 does not wait. Default:
   * "2s".
   */
  readonly discovery?: DurationSetting;
  /**
   * On SIGTERM: how long lb goes on serving new connections and requests, each response with Connection: close, while
   * readiness_path and the admin's /readyz already return 503. Set it to the time that a balancer in front needs to
   * notice. A second signal ends it early. Then drain begins. Default: 0.
   */
  readonly drain_delay?: DurationSetting;
  /** On SIGTERM, after drain_delay: how long requests in flight may take to finish. Default: "30s". */
  readonly drain?: DurationSetting;
}

/** Limits on what clients may send, and on their connections. */
export interface LimitsSettings {
  /**
   * Largest request head (start line and fields) and largest trailer section. A larger one gets 431. Response heads
   * may be twice as large. Default: "32kb".
   */
  readonly header_bytes?: SizeSetting;
  /** Maximum number of fields in a request head. A request with more gets 431. Default: 100. */
  readonly headers?: number;
  /** Longest request target (path and query). A longer one gets 414. Default: "8kb". */
  readonly uri_bytes?: SizeSetting;
  /** Largest request body; a larger one gets 413. 0 is no limit. Default: 0. */
  readonly body_bytes?: SizeSetting;
  /**
   * Slowest average rate of a request body, in bytes per second, measured from its tenth second on; a slower client
   * gets 408. Time that lb waits for the server does not count. 0 is no limit; timeouts.request_body still applies.
   * Default: 0.
   */
  readonly body_rate?: SizeSetting;
  /**
   * Maximum number of client connections open at once. For a new connection beyond this, the one that has been idle
   * longest is closed; if none is idle, the new one is closed. Never more than half of the files that the process may
   * open (ulimit -n, less 64), so that each client connection leaves one file for a connection to a server. Default:
   * 10000.
   */
  readonly connections?: number;
  /**
   * Maximum number of connections of one client address open at once; further ones are closed. All addresses of an
   * IPv6 /64 count as one client. 0 is no limit. Default: 0.
   */
  readonly connections_per_ip?: number;
  /**
   * Maximum number of requests on one client connection; the last response carries Connection: close. 0 is no limit.
   * Default: 0.
   */
  readonly requests_per_connection?: number;
}

/**
 * Settings of the lb load balancer. Every setting has a default; an unknown key is refused. Keys that begin with x-
 * are ignored, so that they can hold what is named with & and used with *.
 */
export interface Settings {
  /**
   * Other settings files that are read with this one: a name, or a list of names, relative to the file they stand in;
   * * and ? in the last part of a name stand for any characters, and the files that fit are read in the order of
   * their names. Maps are joined key by key, and hosts, paths, routes and tests are continued from file to file;
   * anything else may be given once. An included file may include others, and has anchors and x- keys of its own.
   * Names of all other files in it are relative to the settings file that lb is started with.
   */
  readonly include?: string | readonly string[];
  /**
   * Where to accept connections: a port (every interface), host:port, [v6]:port, unix:/path, or a list of these and
   * of maps with settings for one listener. A port given on the command line wins. Default: 8080.
   */
  readonly listen?: number | string | readonly ListenerSetting[];
  /**
   * The certificates of listeners with tls: true, and the terms of their handshakes. A listener whose tls is a map
   * has terms of its own.
   */
  readonly tls?: TlsSettings;
  /**
   * Where operators find metrics, health endpoints, an HTTP API and a status page. Off by default. A port alone
   * listens on loopback only; an address that other machines can reach needs a token. A change takes effect at the
   * next start. Default: false.
   */
  readonly admin?: AdminSetting;
  /**
   * Writes one line per request: dev is short and coloured, combined is the Apache format, json is one object per
   * line, off writes none. By default dev on a terminal and json otherwise. A map chooses the file, the fields, and
   * which requests are logged. Default: "json".
   */
  readonly access_log?: AccessLogSetting;
  /**
   * Sends events to a webhook, in addition to stderr: servers that go up or down, are ejected or changed, clients
   * that are banned, and reloads.
   */
  readonly events?: EventsSettings;
  /**
   * Sends traces to an OpenTelemetry collector: a span for each request and one for each attempt at a server. Servers
   * get a traceparent (W3C Trace Context) of each attempt, whether the trace is recorded or not, and with it the
   * tracestate of the client.
   */
  readonly tracing?: TracingSettings;
  /**
   * Counts requests by paths that are named here too, and sends the figures of /metrics to an OpenTelemetry
   * collector, under the same names; /metrics does not need it.
   */
  readonly metrics?: MetricsSettings;
  /**
   * What this balancer is called among others of its kind, so that their events, logs and figures can be told apart.
   * By default the name of the machine. The webhook, /api/events, /api/status, lb_build_info and service.instance.id
   * of OpenTelemetry have it, and a json line of the access log when it is set or among the fields. It is also the
   * name of the node in shared, unless that has one of its own.
   */
  readonly instance?: string;
  /**
   * A file in which changes made by operators at run time survive a restart: drained servers, weights, servers added
   * and removed. The file is replaced as a whole at each change and read at the start. Changes that no longer fit the
   * settings file are dropped then, and so is a weight that was edited in the settings file since; both are logged.
   * Each process needs a file of its own.
   */
  readonly state_file?: string;
  /**
   * How many threads serve clients. auto: as many as there are processors that this process may use, a quota of its
   * control group respected, but at most 8. With more than 1 each thread has a socket of its own on every port, so
   * that the kernel spreads new connections over them, and limits, bans and the health of servers apply to all
   * threads together. That needs Linux or FreeBSD and Node 22.12 or newer; elsewhere there is one thread, and a
   * warning. A change takes effect at the next start. Default: 1.
   */
  readonly workers?: number | string;
  /**
   * Shares what clients have used up with other nodes, through Redis or Valkey: rate limits, bans, and which server a
   * client is bound to. Certificates of tls.acme are ordered by one node for all, and kept there with their keys. No
   * request waits for Redis. While Redis cannot be reached, each node lets through its share of the limits. Nodes
   * that share have the same settings, prefix and password. A change takes effect at the next start.
   */
  readonly shared?: SharedSettings;
  /**
   * Addresses and CIDRs of the proxies in front whose X-Forwarded-* and X-Request-Id are trusted. From all other
   * peers these fields are overwritten. Default: [].
   */
  readonly trusted_proxies?: AddressListSetting;
  /**
   * Whether requests to servers carry Forwarded (RFC 7239) in addition to X-Forwarded-*. The Forwarded of a trusted
   * proxy is always extended, and is used where that proxy sends no X-Forwarded-For. Default: false.
   */
  readonly forwarded?: boolean;
  /**
   * Whether requests to servers carry Via (RFC 9110, 7.6.3). nginx does not compress responses to requests with Via
   * unless gzip_proxied allows it. Loops are detected independently of this setting: a request that passes this
   * balancer repeatedly is recognised by its CDN-Loop (RFC 8586) and answered 508. Default: false.
   */
  readonly via?: boolean;
  /**
   * Whether final responses carry Proxy-Status (RFC 9209): of an error that lb answers itself the type of the error,
   * with the reason word of the log as its details, of all others the status that the server sent. true calls this
   * balancer lb, a text gives it another name. It tells clients what is wrong inside, so it is off by default. What
   * servers say in this field stays, and lb adds to it. Default: false.
   */
  readonly proxy_status?: boolean | string;
  /**
   * Whether the log, events, lb tail, traces and the list of errors have only the network of a client, the /24 of
   * IPv4 and the /48 of IPv6, instead of its address. In header fields that the access log or -v shows, addresses of
   * clients are masked too. Servers, conditions, limits and bans use the whole address as before, and lb bans lists
   * it. Default: false.
   */
  readonly mask_addresses?: boolean;
  /**
   * A path for the health checks of a cloud or of a balancer in front. GET and HEAD of this path, on every listener
   * and for any host, are answered 200 while lb accepts requests, and 503 while it drains or while no route has a
   * usable server. The path is answered before routes, rules and the firewall (a client that is refused at accept
   * gets no response), is neither logged nor counted, and is never sent to a server.
   */
  readonly readiness_path?: string;
  /**
   * How lb checks the health of servers. Until a path is set, lb sends GET / and takes any response below 500 as
   * healthy. false: no checks; servers count as up, and only failed connections count against them. Default: true.
   */
  readonly health_check?: HealthCheckSetting;
  /**
   * How a server is chosen for a request; a list of servers can set its own. Weights, backup servers and slow_start
   * apply to all algorithms except first, which looks at max_connections only. Default: "round_robin".
   */
  readonly algorithm?: AlgorithmSetting;
  /**
   * How long a server that was down, ejected or in maintenance takes to return to its full weight and
   * max_connections: both grow evenly from a tenth. Servers that are there when lb starts begin with full weight. 0
   * switches it off. Default: 0.
   */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client returns to it as long as
   * it can be used, also while it drains or has weight 0; otherwise another server is chosen and named. By header,
   * param or client_ip: a value that is new is assigned as by hash; lb remembers the assignment for as long as expire
   * says, also while the server drains or has weight 0, and assigns another server when this one is down. A client
   * that was bound to a backup server returns to the other servers as soon as one can be used. Each balancer
   * remembers up to 131,072 values, also over a reload; a value that was forgotten is assigned as by hash again,
   * mostly to the same server. false: not here.
   */
  readonly sticky?: StickySettings | false;
  /**
   * Ejects a server when live requests fail: after a number of failures or errors in a row, or when too large a share
   * of requests fails. An ejected server returns after a while, first with trial requests. false: live requests never
   * eject a server. Default: true.
   */
  readonly passive_health?: PassiveHealthSetting;
  /** The pool of connections to each server. */
  readonly pool?: PoolSettings;
  /**
   * How the names of servers are resolved. A name is resolved again when its TTL has expired; the last good result is
   * used until a new one arrives. localhost, and names that only the hosts file has, are resolved by the system.
   */
  readonly dns?: DnsSettings;
  /**
   * Whether labels of containers make routes: lb.host, lb.path, lb.port and others, as docs/discovery.md has them.
   * Routes come and go with the containers; hosts and paths of this file take precedence. The engine is asked by GET
   * only. true: the engine of DOCKER_HOST, or of /var/run/docker.sock. Default: false.
   */
  readonly docker?: DockerSetting;
  /**
   * When a failed request is sent to another server. Never after the client has received part of a response; and a
   * request that must not be processed twice (POST) only if nothing of it was sent. false: no retries. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /**
   * How long a request that finds no usable server waits for one to come back, instead of getting 503 at once: a
   * restart of the only server is then a delay. Requests wait in their order, and one whose client leaves is dropped.
   * Only a request of which nothing was processed waits: one that reached no server, or that may be sent twice (GET)
   * and of which the client has seen nothing. When a server is back the first request is tried, then more with each
   * that reaches it. When the time is over the client gets 503. false: no waiting.
   */
  readonly hold?: HoldTermsSetting;
  /**
   * Answers every request with 503 and Retry-After, with the page that error_pages has for it, while work is done
   * here. Firewalls are asked before, requests in flight finish, and health checks go on. Inner places inherit it;
   * false opens one of them. An operator does the same to a host for a time, without an edit of the file: lb
   * maintenance --host HOST --for 30m.
   */
  readonly maintenance?: MaintenanceTermsSetting;
  /** Deadlines. 0 switches a deadline off. */
  readonly timeouts?: TimeoutsSettings;
  /** Limits on what clients may send, and on their connections. */
  readonly limits?: LimitsSettings;
  /**
   * The servers of the default route, and of hosts, paths and routes without servers, redirect or respond. Without
   * them, a request that matches nothing gets 404.
   */
  readonly servers?: readonly ServerSetting[];
  /** Settings for single hosts. An exact name takes precedence, then the longest wildcard. Default: []. */
  readonly hosts?: readonly HostSettings[];
  /**
   * Settings for single paths of all hosts that are not in hosts. An exact path takes precedence, then a regular
   * expression, then the longest prefix. By default the prefix is stripped, and Host is the server's own address.
   * Default: [].
   */
  readonly paths?: readonly PathSettings[];
  /**
   * Conditional routes, in order: the first whose conditions match is taken, before paths and servers. Default: [].
   */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or languages, of what this place serves without a condition on the language. Sibling routes with
   * match: { language: … } are weighed against it. It applies to places inside too. Without it, a client that prefers
   * any other language to those of the routes gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * Changes to the request's header fields before they are sent to the server, in the order remove, replace, add,
   * append. A name stands for every spelling that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * Changes to the response's header fields before they are sent to the client, in the order remove, replace, add,
   * append. A name stands for every spelling that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /**
   * Pages instead of the short texts with which lb answers errors itself, and, with servers: true, instead of the
   * errors of servers. The first page whose status fits is taken, those of inner places before those of outer ones;
   * if pages of several types fit, the client's Accept decides, and the first of them where it says nothing. Without
   * a page for it, an error keeps its short text. Retry-After and other fields stay, and the response is never
   * cached.
   */
  readonly error_pages?: readonly ErrorPageSettings[];
  /**
   * Tells browsers to use only https for this long (RFC 6797): every response to a request over https gets
   * Strict-Transport-Security instead of the server's own. 0 makes browsers forget it. A map can extend it to all
   * names below the host.
   */
  readonly hsts?: HstsTermsSetting;
  /** Changes to the query parameters before they are sent to the server. All others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** Changes to the request's cookies before they are sent to the server. */
  readonly cookie_rules?: CookieRulesSettings;
  /** Changes to the path before it is sent to the server, in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Which clients and requests are refused. At the top of the file it applies to every request, before routing;
   * elsewhere to the requests of that place. A request that avoids the guards of a path with a spelling that a server
   * may read as that path (/;/admin, /x/..;/admin, /%2561dmin) is refused with 403. As in paths, case counts.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Redirects the client, instead of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers with a fixed response, instead of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client's request; otherwise it gets its own address. By default false for
   * paths at the top of the file, true for all others.
   */
  readonly preserve_host?: boolean;
  /**
   * Test requests with the expected outcome. lb check and every reload run them; if one fails, the file is refused.
   * Default: [].
   */
  readonly tests?: readonly TestSettings[];
}

/** A duration such as 5s, 200ms, 1m or 1h. */
export type DurationSetting = string | number;

/** A size such as 64kb or 1mb. */
export type SizeSetting = string | number;

/** Dev, combined, json or off, or a map such as format: json. */
export interface AccessLogSettings {
  /**
   * The format of a line: dev is short and coloured, combined is the Apache format, json is one object per line, off
   * writes none. By default dev on a terminal and json otherwise.
   */
  readonly format?: AccessLogFormat;
  /**
   * The file that lines are appended to instead of stdout. SIGUSR1 and SIGUSR2 reopen it after it was renamed.
   * --access-log-file takes precedence.
   */
  readonly file?: string;
  /**
   * The fields of a json line, in this order; for combined, the fields after those that Apache writes. By default
   * json has all but referer, trace_id, span_id and client_cert, instance only when it is set, and tls_version,
   * cipher and sni only over TLS; combined has duration_ms, server and request_id. The fields are ts, request_id,
   * client, method, target, host, protocol, route, status, server, attempts, tries, duration_ms, queue_ms,
   * connect_ms, first_byte_ms, bytes_in, bytes_out, reason, detail, user_agent, referer, trace_id, span_id,
   * tls_version, cipher, sni, client_cert and instance.
   */
  readonly fields?: readonly AccessLogField[];
  /**
   * Header fields of requests whose values are added to lines of json and combined, as the client sent them: at most
   * 256 characters of each, several fields of one name joined by commas. json has them in a map request_headers,
   * combined in quotes after the other fields. The values of credentials and cookies are masked.
   */
  readonly request_headers?: LoggedHeadersSetting;
  /**
   * The same for header fields of the response as sent to the client: json has them in a map response_headers,
   * combined after those of the request.
   */
  readonly response_headers?: LoggedHeadersSetting;
  /** Requests with one of these statuses are always logged, and so are requests whose response was cut off. */
  readonly status?: StatusesSetting;
  /** Requests that took longer than this are always logged. */
  readonly slower_than?: DurationSetting;
  /** The share of all other requests that is logged. By default none if status or slower_than is set, else all. */
  readonly sample?: PercentSetting;
}

/** Dev, combined, json or off, or a map such as format: json. */
export type AccessLogSetting = AccessLogFormat | AccessLogSettings;

/** A list of 1 to 32 names of header fields. */
export type LoggedHeadersSetting = readonly string[];

/** Dev, combined, json or off. */
export type AccessLogFormat = 'dev' | 'combined' | 'json' | 'off';

/** The name of a field (lb help access_log.fields lists them). */
export type AccessLogField =
  | 'ts'
  | 'request_id'
  | 'client'
  | 'method'
  | 'target'
  | 'host'
  | 'protocol'
  | 'route'
  | 'status'
  | 'server'
  | 'attempts'
  | 'tries'
  | 'duration_ms'
  | 'queue_ms'
  | 'connect_ms'
  | 'first_byte_ms'
  | 'bytes_in'
  | 'bytes_out'
  | 'reason'
  | 'detail'
  | 'user_agent'
  | 'referer'
  | 'trace_id'
  | 'span_id'
  | 'tls_version'
  | 'cipher'
  | 'sni'
  | 'client_cert'
  | 'instance';

/** A map such as otlp: http://collector:4318. */
export interface TracingSettings {
  /** The URL of the collector, which takes OTLP over HTTP in JSON; /v1/traces is added to it unless it ends so. */
  readonly otlp: string;
  /**
   * The share of traces that begin here and are recorded, decided by their ids. A trace that is continued is recorded
   * if the caller says so. Default: "1%".
   */
  readonly sample?: PercentSetting;
  /**
   * Whose traceparent is continued: that of peers in trusted_proxies, of anyone, or of nobody. The traces of others
   * begin here, with a link to what they sent: a stranger who says that all its requests are recorded could fill the
   * collector, or mix its requests into traces of others. Default: "trusted".
   */
  readonly continue_from?: 'trusted' | 'anyone' | 'nobody';
  /** How long a span waits for others, so that they are sent together. Default: "2s". */
  readonly interval?: DurationSetting;
  /**
   * About the most spans in one request to the collector. When this many wait they are sent at once, without waiting
   * for interval. Default: 2000.
   */
  readonly batch?: number;
  /**
   * How many spans may wait while the collector is slow or unreachable, about 1 KB each. Further ones are dropped and
   * counted. Default: 10000.
   */
  readonly queue?: number;
  /** Fields of each request to the collector. */
  readonly headers?: TextsSettings;
  /** The service.name of what is sent. Default: "lb". */
  readonly service?: string;
  /**
   * Further attributes of the resource, by name. service.version, service.instance.id (instance) and host.name are
   * there by themselves.
   */
  readonly attributes?: TextsSettings;
  /**
   * Whether bodies are compressed. gzip takes more CPU time than all other work for what is sent, and pays where the
   * way to the collector is narrow. Default: "none".
   */
  readonly compression?: 'none' | 'gzip';
  /** Time for one request to the collector. Default: "10s". */
  readonly timeout?: DurationSetting;
  /**
   * A PEM file of the certificate authorities that the collector's certificate is verified with, instead of those of
   * the system.
   */
  readonly ca?: FileNameSetting;
}

/** A map such as otlp: http://collector:4318, or paths: [/api]. */
export interface MetricsSettings {
  /**
   * Paths that requests are counted by, with their latencies: lb_path_requests_total and
   * lb_path_request_duration_seconds have a label path, which is the text written here. Written like those of routes,
   * and chosen in the same way: an exact path ("= /x"), then the first regular expression ("~ ^/users/[^/]+$") that
   * matches, then the longest prefix (/api). All other requests are counted as other. The path is that of the request
   * as it came.
   */
  readonly paths?: readonly string[];
  /** The URL of the collector, which takes OTLP over HTTP in JSON; /v1/metrics is added to it unless it ends so. */
  readonly otlp?: string;
  /**
   * How often all figures are sent. They count since the start, so that nothing is lost while the collector is
   * unreachable. Default: "60s".
   */
  readonly every?: DurationSetting;
  /** Fields of each request to the collector. */
  readonly headers?: TextsSettings;
  /** The service.name of what is sent. Default: "lb". */
  readonly service?: string;
  /**
   * Further attributes of the resource, by name. service.version, service.instance.id (instance) and host.name are
   * there by themselves.
   */
  readonly attributes?: TextsSettings;
  /**
   * Whether bodies are compressed. gzip takes more CPU time than all other work for what is sent, and pays where the
   * way to the collector is narrow. Default: "none".
   */
  readonly compression?: 'none' | 'gzip';
  /** Time for one request to the collector. Default: "10s". */
  readonly timeout?: DurationSetting;
  /**
   * A PEM file of the certificate authorities that the collector's certificate is verified with, instead of those of
   * the system.
   */
  readonly ca?: FileNameSetting;
}

/** A map such as webhook: https://hooks.example.com/lb. */
export interface EventsSettings {
  /** The URL that receives every event as JSON by POST; events close together are sent in one request. */
  readonly webhook: string;
  /** The secret that signs each request: X-Lb-Signature is sha256= followed by the HMAC-SHA256 of the body in hex. */
  readonly secret?: string;
  /** Time for one request to the webhook. Failed requests are repeated at growing intervals. Default: "5s". */
  readonly timeout?: DurationSetting;
  /**
   * A PEM file of the certificate authorities that the webhook's certificate is verified with, instead of those of
   * the system.
   */
  readonly ca?: FileNameSetting;
}

/** A map such as redis: redis://10.0.0.9:6379. */
export interface SharedSettings {
  /**
   * The URL of Redis or Valkey: redis://host:port, with TLS rediss://host:port; a user, a password and the number of
   * a database may stand in it. A list has the nodes of a cluster (cluster: true), or the sentinels (sentinel).
   */
  readonly redis: string | readonly string[];
  /** What the names of all keys begin with. Nodes with the same prefix share. Default: "lb". */
  readonly prefix?: string;
  /**
   * What this node is called in the status of all nodes. By default its instance, or without that the name of the
   * machine.
   */
  readonly node?: string;
  /**
   * The share of a node is at most the limit divided by this number, also before it has seen the other nodes: when it
   * starts while Redis cannot be reached, it cannot know how many there are. Default: 1.
   */
  readonly nodes?: number;
  /** The password, instead of one in the URL. */
  readonly password?: string;
  /** The user, instead of one in the URL. */
  readonly user?: string;
  /**
   * redis has the addresses of sentinels, and this is what they call the group of servers: the one that is primary is
   * used.
   */
  readonly sentinel?: string;
  /** redis has the addresses of some nodes of a cluster; lb learns the others from them. Default: false. */
  readonly cluster?: boolean;
  /**
   * A PEM file of the certificate authorities that Redis' certificate is verified with, instead of those of the
   * system.
   */
  readonly ca?: FileNameSetting;
  /**
   * Time for an answer of Redis. When one takes longer, Redis counts as lost until it answers in time again. Default:
   * "500ms".
   */
  readonly timeout?: DurationSetting;
}

/** The name of a file. */
export type FileNameSetting = string;

/** A port, host:port, unix:/path, or a map with an address. */
export interface ListenerSettings {
  /** A port (every interface), host:port, [v6]:port or unix:/path. */
  readonly address: number | string;
  /**
   * Whether clients speak TLS here: true for the terms of tls at the top of the file, internal for a certificate of a
   * local certificate authority that is made for development, or a map with terms of this listener's own, which
   * replace those at the top.
   */
  readonly tls?: ListenerTlsSetting;
  /**
   * https: every request is redirected to the same URL with https, on the port of the first listener with TLS, with
   * status 301 for GET and HEAD and 308 for other methods. Challenges of ACME and readiness_path are answered first,
   * routes and firewall rules come after it. What a trusted proxy says was asked for with https (X-Forwarded-Proto)
   * is not redirected, and a request without a Host gets 400.
   */
  readonly redirect?: 'https';
  /**
   * The addresses and CIDRs of the proxies that connect here. Each connection must begin with a PROXY header (version
   * 1 or 2, at most 4096 bytes), within timeouts.proxy_header; lb believes what it says: the client's address and
   * port, the port that the client connected to, and in version 2 whether the client spoke TLS (PP2_TYPE_SSL) and for
   * which name (PP2_TYPE_AUTHORITY). With LOCAL and UNKNOWN the proxy speaks for itself. Connections from elsewhere,
   * and those without a header, are closed. On a Unix socket, whose peers have no addresses, the mode of its file
   * says who may connect, and the list is ignored.
   */
  readonly proxy_protocol?: AddressListSetting;
  /** The mode of the file of a Unix socket, in octal. By default what the umask leaves. */
  readonly mode?: string;
  /**
   * Maximum number of connections of clients that are open at once on this listener, within limits.connections.
   * Further ones are closed. By default limits.connections alone applies.
   */
  readonly connections?: number;
}

/** A port, host:port, unix:/path, or a map with an address. */
export type ListenerSetting = number | string | ListenerSettings;

/** True, internal, or a map with certificates. */
export interface ListenerTlsSettings {
  /**
   * Certificates, each a PEM file with its key, a folder of such files, or a map. The name that a client asks for
   * (SNI) selects: an exact name before a wildcard; without a match the first certificate is shown. Two certificates
   * of one name may have different kinds of keys (RSA, ECDSA).
   */
  readonly certificates?: readonly CertificateSetting[];
  /** Orders certificates by ACME (RFC 8555), by default from Let's Encrypt, and renews them. */
  readonly acme?: AcmeSettings;
  /** The oldest version of TLS that is accepted. Default: "TLSv1.2". */
  readonly min_version?: 'TLSv1.2' | 'TLSv1.3';
  /**
   * Cipher suites in the form of OpenSSL, in order of preference, those of TLS 1.2 and 1.3 in one list. By default
   * those with forward secrecy and authenticated encryption.
   */
  readonly ciphers?: string;
  /**
   * Whether a handshake is refused whose name no certificate covers. By default the first certificate is shown.
   * Default: false.
   */
  readonly strict_sni?: boolean;
  /**
   * Asks clients for a certificate. A certificate of certificates may have this of its own, which replaces that of
   * the listener; false asks for none.
   */
  readonly client_auth?: ClientAuthSetting;
}

/** True, internal, or a map with certificates. */
export type ListenerTlsSetting = boolean | string | ListenerTlsSettings;

/** A map with certificates or acme. */
export interface TlsSettings {
  /**
   * Certificates, each a PEM file with its key, a folder of such files, or a map. The name that a client asks for
   * (SNI) selects: an exact name before a wildcard; without a match the first certificate is shown. Two certificates
   * of one name may have different kinds of keys (RSA, ECDSA).
   */
  readonly certificates?: readonly CertificateSetting[];
  /** Orders certificates by ACME (RFC 8555), by default from Let's Encrypt, and renews them. */
  readonly acme?: AcmeSettings;
  /** The oldest version of TLS that is accepted. Default: "TLSv1.2". */
  readonly min_version?: 'TLSv1.2' | 'TLSv1.3';
  /**
   * Cipher suites in the form of OpenSSL, in order of preference, those of TLS 1.2 and 1.3 in one list. By default
   * those with forward secrecy and authenticated encryption.
   */
  readonly ciphers?: string;
  /**
   * Whether a handshake is refused whose name no certificate covers. By default the first certificate is shown.
   * Default: false.
   */
  readonly strict_sni?: boolean;
  /**
   * Asks clients for a certificate. A certificate of certificates may have this of its own, which replaces that of
   * the listener; false asks for none.
   */
  readonly client_auth?: ClientAuthSetting;
}

/** A PEM file, a folder, or a map such as { cert: www.pem, key: www.key }. */
export interface CertificateSettings {
  /**
   * A PEM file with the certificate and those that lead to its authority, in this order; also with the key if key is
   * not set. Or a folder of such files.
   */
  readonly cert: FileNameSetting;
  /** A PEM file with the private key: PKCS#8, PKCS#1 or SEC1, encrypted or not. */
  readonly key?: FileNameSetting;
  /** The passphrase of an encrypted key. */
  readonly passphrase?: string;
  /**
   * Asks clients for a certificate. A certificate of certificates may have this of its own, which replaces that of
   * the listener; false asks for none.
   */
  readonly client_auth?: ClientAuthSetting;
}

/** A PEM file, a folder, or a map such as { cert: www.pem, key: www.key }. */
export type CertificateSetting = string | CertificateSettings;

/** False, or a map such as { ca: clients.pem }. */
export interface ClientAuthSettings {
  /** A PEM file of the certificate authorities that sign the certificates of clients. */
  readonly ca: FileNameSetting;
  /** A PEM file of the certificate revocation lists of these authorities. */
  readonly crl?: FileNameSetting;
  /**
   * require: a handshake without a valid certificate fails. request: the client is let in anyway, and conditions and
   * servers see what it showed. Default: "require".
   */
  readonly mode?: 'require' | 'request';
}

/** False, or a map such as { ca: clients.pem }. */
export type ClientAuthSetting = false | ClientAuthSettings;

/** A map such as { hosts: [www.example.com], store: /var/lib/lb/acme }. */
export interface AcmeSettings {
  /**
   * The names that certificates are ordered for: a certificate for each entry, which is a name, or a list of names
   * that share one. Without wildcards.
   */
  readonly hosts: readonly AcmeHostSetting[];
  /**
   * The folder for the account, the certificates and their keys. It is made if it does not exist, and only its owner
   * may read it. Processes that share a folder share certificates. With shared, account and certificates are in Redis
   * for all nodes, and each folder has a copy.
   */
  readonly store: FileNameSetting;
  /** Where the certificate authority may write to. */
  readonly email?: string;
  /**
   * The certificate authority: production or staging for those of Let's Encrypt, or the URL of another authority's
   * directory. Ordering a certificate agrees to its terms of service. Default: "production".
   */
  readonly directory?: string;
  /**
   * How control of a name is proved: http-01 by a plain listener on port 80, tls-alpn-01 by a listener with TLS on
   * port 443. Default: "http-01".
   */
  readonly challenge?: 'http-01' | 'tls-alpn-01';
  /** The binding to an account that exists outside of ACME, for authorities that ask for one. */
  readonly external_account?: ExternalAccountSettings;
  /**
   * A PEM file of the certificate authorities that the directory's own certificate is verified with, instead of those
   * of the system.
   */
  readonly ca?: FileNameSetting;
}

/** A host such as www.example.com, or a list of these. */
export type AcmeHostSetting = string | readonly string[];

/** A map with kid and hmac_key. */
export interface ExternalAccountSettings {
  /** The key identifier that the authority gave. */
  readonly kid: string;
  /** The key that the authority gave, in base64url. */
  readonly hmac_key: string;
}

/** True, false, or a map such as { server_name: api.internal }. */
export interface ServerTlsSettings {
  /**
   * The name that is sent to the server (SNI) and that its certificate must have. By default the host of its address.
   */
  readonly server_name?: string;
  /**
   * A PEM file of the certificate authorities that the server's certificate is verified with, instead of those of the
   * system.
   */
  readonly ca?: FileNameSetting;
  /** A PEM file with the certificate that is shown to the server when it asks for one. */
  readonly cert?: FileNameSetting;
  /** A PEM file with the key of cert, if that file does not have it. */
  readonly key?: FileNameSetting;
  /** The passphrase of an encrypted key. */
  readonly passphrase?: string;
  /**
   * false accepts any certificate: any program that answers at the address can read and change what is sent. lb warns
   * of it at each start. Default: true.
   */
  readonly verify?: boolean;
  /** The oldest version of TLS that is spoken with the server. Default: "TLSv1.2". */
  readonly min_version?: 'TLSv1.2' | 'TLSv1.3';
}

/** True, false, or a map such as { server_name: api.internal }. */
export type ServerTlsSetting = boolean | ServerTlsSettings;

/** True, false, or a map such as network: web. */
export interface DockerSettings {
  /** Only containers that have this label, or all of these labels, are looked at. */
  readonly label?: ContainerLabelsSetting;
  /**
   * Where the engine listens: unix:///var/run/docker.sock or tcp://host:port. By default what DOCKER_HOST says, or
   * /var/run/docker.sock.
   */
  readonly socket?: DockerSocketSetting;
  /**
   * The certificates for an engine at tcp://. ca: the authorities that its certificate is verified with, instead of
   * those of the system. cert and key: the certificate that it asks for.
   */
  readonly tls?: DockerTlsSettings;
  /**
   * The network by which containers are reached, as the engine or the compose file calls it. By default one that they
   * share with lb; outside of containers all are reached.
   */
  readonly network?: DockerNetworkSetting;
}

/** True, false, or a map such as network: web. */
export type DockerSetting = boolean | DockerSettings;

/** A label such as lb.service=api, or a map with a label. */
export interface DockerSourceSettings {
  /** The label that containers must have, as name or name=value, or several that they must all have. */
  readonly label?: ContainerLabelsSetting;
  /** In place of label: the containers whose own labels ask for this host and path (lb.host, lb.path). */
  readonly route?: string;
  /**
   * The port in the containers. By default what the label lb.port says, or the only port that the container exposes.
   */
  readonly port?: number;
  /**
   * Where the engine listens: unix:///var/run/docker.sock or tcp://host:port. By default what DOCKER_HOST says, or
   * /var/run/docker.sock.
   */
  readonly socket?: DockerSocketSetting;
  /**
   * The certificates for an engine at tcp://. ca: the authorities that its certificate is verified with, instead of
   * those of the system. cert and key: the certificate that it asks for.
   */
  readonly tls?: DockerTlsSettings;
  /**
   * The network by which containers are reached, as the engine or the compose file calls it. By default one that they
   * share with lb; outside of containers all are reached.
   */
  readonly network?: DockerNetworkSetting;
}

/** A label such as lb.service=api, or a map with a label. */
export type DockerSourceSetting = string | DockerSourceSettings;

/** A label such as lb.service=api, or a list of labels. */
export type ContainerLabelsSetting = string | readonly string[];

/** Unix:///var/run/docker.sock or tcp://host:port. */
export type DockerSocketSetting = string;

/** The name of a network. */
export type DockerNetworkSetting = string;

/** A map with ca, cert and key. */
export interface DockerTlsSettings {
  /** A PEM file of the authorities that the certificate of the engine is verified with. */
  readonly ca?: FileNameSetting;
  /** A PEM file with the certificate that the engine asks for. */
  readonly cert?: FileNameSetting;
  /** The PEM file of its key, if the certificate's file does not have it. */
  readonly key?: FileNameSetting;
}

/** An http:// or https:// URL, or a map with a url. */
export interface HttpSourceSettings {
  /** The URL that is asked. */
  readonly url: string;
  /**
   * A PEM file of the certificate authorities that the certificate of the URL is verified with, instead of those of
   * the system.
   */
  readonly ca?: FileNameSetting;
  /** Fields of the request. */
  readonly headers?: TextsSettings;
  /** How long a whole answer may take. Default: "5s". */
  readonly timeout?: DurationSetting;
}

/** An http:// or https:// URL, or a map with a url. */
export type HttpSourceSetting = string | HttpSourceSettings;

/** A Service such as default/api, or a map with a service. */
export interface KubernetesSourceSettings {
  /**
   * The Service, with its namespace in front. Without one, the namespace is that of the pod that lb is in, or of the
   * context.
   */
  readonly service: string;
  /**
   * The name of a port of the Service, or the number of a port of its pods. By default the only port of the Service.
   */
  readonly port?: string | number;
  /**
   * A kubeconfig file, where lb is outside of the cluster: API server, authorities, token or client certificate.
   * Programs that make credentials (exec) and proxies are refused. By default the service account of the pod that lb
   * is in.
   */
  readonly kubeconfig?: FileNameSetting;
  /** A context of the kubeconfig. By default its current-context. */
  readonly context?: string;
}

/** A Service such as default/api, or a map with a service. */
export type KubernetesSourceSetting = string | KubernetesSourceSettings;

/** A share such as 20%. */
export type PercentSetting = string;

/** A list of addresses and CIDRs such as 10.0.0.0/8. */
export type AddressListSetting = readonly string[];

/** Host:port, unix:/path, or a map with an address. */
export interface ServerSettings {
  /**
   * host:port, [v6]:port or unix:/path; a port alone is a port of localhost. A host name with several addresses is a
   * server for each of them, with all that this entry has; localhost is one. With https:// in front, connections are
   * encrypted, and the port is 443 if there is none; http:// means the same as no scheme, with port 80 if there is
   * none.
   */
  readonly address?: string | number;
  /** The name of the server in logs. By default its address. */
  readonly name?: string;
  /**
   * The server's share of requests, relative to the weights of the others. With 0 it gets no new requests, only those
   * of clients that are bound to it. Default: 1.
   */
  readonly weight?: number;
  /**
   * Whether the server is used only while no other server of the list can be, or for a request that all others have
   * failed. Default: false.
   */
  readonly backup?: boolean;
  /**
   * Whether connections to the server are encrypted, and how. true is what https:// in front of the address says. The
   * server's certificate is verified unless verify is false.
   */
  readonly tls?: ServerTlsSetting;
  /**
   * The version of the PROXY header that each connection to the server begins with. The header has the address and
   * port from which the client connected, or those in its own PROXY header, and where it connected to; v2 also has
   * the protocol, server name, TLS version, cipher and certificate name of the client's connection. A connection then
   * serves one client only, and is closed with it; there is no pipelining. Health checks say that they are checks
   * (LOCAL, in v1 UNKNOWN); those at another port or address send none.
   */
  readonly send_proxy?: 'v1' | 'v2';
  /**
   * Maximum number of connections open to the server at once. Further requests wait for one, up to timeouts.queue. 0
   * is no limit. By default pool.max_connections.
   */
  readonly max_connections?: number;
  /**
   * A host name with a port, instead of an address: every address that the name has is a server of its own, with its
   * own health, connections and share. The name is resolved again when its TTL has expired (dns.min_ttl,
   * dns.max_ttl). With https:// in front, connections are encrypted. The other keys of this entry apply to every
   * server that comes from it; TLS and preserve_host: false use the name.
   */
  readonly dns?: string;
  /**
   * A name with SRV records, instead of an address: each target is a server, or several if it has several addresses,
   * with the port and weight of its record. The lowest priority is used first, all others are backup. The other keys
   * of this entry apply to every server that comes from it.
   */
  readonly srv?: string;
  /**
   * Which addresses dns, srv and kubernetes take where there are both families: ipv4, ipv6, or both, as servers of
   * their own. By default one family: of names the one that connects first, of a Service IPv4.
   */
  readonly family?: 'ipv4' | 'ipv6' | 'both';
  /**
   * Files with a list of servers, instead of an address, in the format of Prometheus' file_sd: JSON, or YAML in files
   * that end in .yml or .yaml. The last part of the path may have * and ?. The files are watched; one that cannot be
   * read, or is not complete, leaves its servers as they were. The other keys of this entry apply to every server
   * that comes from it.
   */
  readonly file?: string;
  /**
   * A URL, instead of an address, that answers with a list of servers in the format of Prometheus' http_sd: 200 with
   * Content-Type: application/json. ETag and Last-Modified are used. Redirects are refused. While it cannot be asked,
   * the servers stay as they were. The other keys of this entry apply to every server that comes from it.
   */
  readonly http?: HttpSourceSetting;
  /**
   * A Service of Kubernetes, instead of an address: each of its endpoints is a server that has the name of its pod.
   * Its EndpointSlices are listed and watched. Endpoints that are ready get requests. One that is terminating gets no
   * new ones and finishes those it has; only while none is ready, those that are terminating and still serve get new
   * ones. The other keys of this entry apply to every server that comes from it.
   */
  readonly kubernetes?: KubernetesSourceSetting;
  /**
   * Containers that have a label, instead of an address. Those that run, and are healthy where they say so, are
   * servers; one that is told to stop gets no new request from then on. The engine is asked by GET only. The other
   * keys of this entry apply to every server that comes from it; labels of a container (lb.port, lb.weight,
   * lb.network and others) apply to that one.
   */
  readonly docker?: DockerSourceSetting;
  /** How often http is asked. Default: "30s". */
  readonly every?: DurationSetting;
}

/** Host:port, unix:/path, or a map with an address. */
export type ServerSetting = string | number | ServerSettings;

/** A port, host:port, unix:/path, false, or a map such as listen: 127.0.0.1:9090. */
export interface AdminSettings {
  /**
   * A port (of 127.0.0.1), host:port, [v6]:port or unix:/path; *:9090 is every interface. An address that other
   * machines can reach is refused without a token. Default: "127.0.0.1:9090".
   */
  readonly listen?: number | string;
  /**
   * The token that /api and /metrics require as Authorization: Bearer TOKEN; the status page asks for it. /livez and
   * /readyz need none.
   */
  readonly token?: string;
  /**
   * A second token, for read-only access: Prometheus, dashboards, a status page on a wall. It can read all that token
   * can; a request that would change something gets 403.
   */
  readonly read_token?: string;
  /**
   * Whether the admin listener speaks TLS: true for the terms of tls, internal for a certificate of the local
   * certificate authority for development, or terms of its own.
   */
  readonly tls?: ListenerTlsSetting;
  /**
   * Host names that requests to the admin listener may use, in addition to addresses, localhost and the host it
   * listens on. Requests with another Host are refused, so that no web page can reach it through DNS rebinding.
   */
  readonly hosts?: AdminHostsSetting;
}

/** A port, host:port, unix:/path, false, or a map such as listen: 127.0.0.1:9090. */
export type AdminSetting = number | string | boolean | AdminSettings;

/** A host such as admin.example.com, or a list of these. */
export type AdminHostsSetting = string | readonly string[];

/** An algorithm such as least_connections, or a map such as { name: hash, on: uri }. */
export interface AlgorithmSettings {
  /**
   * round_robin: each in turn. least_connections: the server with the fewest requests in flight. random: any.
   * power_of_two: of two random servers, the one with fewer requests in flight. least_response_time: of two random
   * servers, the one expected to answer sooner. ip_hash: the same server for the same client address. hash: the same
   * server for the same value of `on`. first: the first in the list with fewer than max_connections.
   */
  readonly name: AlgorithmName;
  /**
   * What hash distributes by: client_ip (an IPv6 client by its /64), uri (path and query as received), path
   * (normalised, without the query), header.NAME, cookie.NAME or param.NAME.
   */
  readonly on?: string;
  /**
   * How hash chooses a server for a request without that field: by another algorithm, or by the client's address.
   * Default: "round_robin".
   */
  readonly fallback?: AlgorithmFallback;
  /**
   * For hash and ip_hash: how many times its fair share of requests in flight a server may have; further requests go
   * to the next server of the key. 1.25 allows a quarter more. By default there is no bound.
   */
  readonly balance_factor?: number;
}

/** An algorithm such as least_connections, or a map such as { name: hash, on: uri }. */
export type AlgorithmSetting = AlgorithmName | AlgorithmSettings;

/** Round_robin, least_connections, random, power_of_two, least_response_time, ip_hash, hash or first. */
export type AlgorithmName =
  | 'round_robin'
  | 'least_connections'
  | 'random'
  | 'power_of_two'
  | 'least_response_time'
  | 'ip_hash'
  | 'hash'
  | 'first';

/** Round_robin, least_connections, random, power_of_two or client_ip. */
export type AlgorithmFallback = 'round_robin' | 'least_connections' | 'random' | 'power_of_two' | 'client_ip';

/**
 * Keeps a client with its server. By cookie: the response names the server, and the client returns to it as long as
 * it can be used, also while it drains or has weight 0; otherwise another server is chosen and named. By header,
 * param or client_ip: a value that is new is assigned as by hash; lb remembers the assignment for as long as expire
 * says, also while the server drains or has weight 0, and assigns another server when this one is down. A client that
 * was bound to a backup server returns to the other servers as soon as one can be used. Each balancer remembers up to
 * 131,072 values, also over a reload; a value that was forgotten is assigned as by hash again, mostly to the same
 * server. false: not here.
 */
export interface StickySettings {
  /**
   * The name of the cookie that lb sets: HttpOnly, and Secure when a trusted proxy reports https. Its value is a
   * keyed hash of the server's name, never its address. lb removes the cookie from requests to servers. Places of one
   * host with different servers need different names.
   */
  readonly cookie?: string;
  /**
   * The key of that hash. Balancers with the same secret and the same names of servers accept each other's cookies.
   * By default a random one at each start.
   */
  readonly secret?: string;
  /** How long the client keeps the cookie after it was set. 0: until the browser is closed. Default: 0. */
  readonly max_age?: DurationSetting;
  /**
   * The Domain of the cookie: the browser sends it to all hosts of this domain. By default only to the host that set
   * it.
   */
  readonly domain?: string;
  /** The Path of the cookie: the browser sends it with requests for this path and below. Default: "/". */
  readonly path?: string;
  /**
   * The SameSite of the cookie: whether the browser sends it with requests that another site causes. none is for
   * pages embedded in other sites, and makes the cookie Secure. Default: "lax".
   */
  readonly same_site?: 'lax' | 'strict' | 'none';
  /** Keeps a separate cookie for each site that embeds the page (CHIPS), if the cookie is Secure. Default: false. */
  readonly partitioned?: boolean;
  /**
   * Adds Cache-Control: private to the response that sets the cookie. Without it a shared cache might give the cookie
   * to all its clients and so send them all to one server. Default: true.
   */
  readonly nocache?: boolean;
  /**
   * The name of a header; requests with the same value go to the same server. Requests without it are distributed by
   * the algorithm.
   */
  readonly header?: string;
  /**
   * The name of a query parameter; requests with the same value go to the same server. Requests without it are
   * distributed by the algorithm.
   */
  readonly param?: string;
  /**
   * Binds by the address of the client (for IPv6 the /64 network). Unlike algorithm: ip_hash, lb remembers which
   * server served which client.
   */
  readonly client_ip?: true;
  /**
   * By header, param or client_ip: how long lb remembers a value after its last response. 0 remembers nothing: the
   * server then follows from the value and the servers that take new requests, all balancers agree, and a draining
   * server loses its clients at once. Default: "30m".
   */
  readonly expire?: DurationSetting;
}

/** Settings such as max_connections: 200. */
export interface PoolSettings {
  /**
   * Maximum number of idle connections kept for each server; 0 keeps none. Choose the number of requests in flight at
   * a busy moment, so that the next such moment opens no connections; each costs a few KiB, and idle_timeout closes
   * those that are not needed. Default: 1024.
   */
  readonly max_idle?: number;
  /**
   * How long an idle connection is kept. When a server announces a shorter time with Keep-Alive: timeout=, or closes
   * idle connections earlier, lb uses that time less one second. The default is below the 5s of Node's own servers;
   * while this is not set, a server that announces a longer time is trusted, up to 10 minutes. Default: "4s".
   */
  readonly idle_timeout?: DurationSetting;
  /**
   * Maximum number of connections open at once to each server without max_connections. Further requests wait for one,
   * up to timeouts.queue. 0 is no limit. Default: 0.
   */
  readonly max_connections?: number;
  /**
   * Maximum number of requests that may wait for a connection to one server. The next one gets 503. Default: 1000.
   */
  readonly max_waiting?: number;
  /**
   * The age after which a connection is closed when its request is done; it varies by a tenth, so that connections do
   * not all end at once. 0 is no limit. Default: "1h".
   */
  readonly max_age?: DurationSetting;
  /** Maximum number of requests on one connection; then it is closed. 0 is no limit. Default: 0. */
  readonly max_requests?: number;
  /**
   * Maximum number of requests in flight on one connection. From 2 on, idempotent requests without a body share
   * connections: fewer system calls, but a slow response delays those after it, for up to a second. Only for servers
   * that announce the length of every response correctly. A server that sends data without a request gets no
   * pipelined requests for ten minutes. Default: 1.
   */
  readonly pipelining?: number;
}

/** True, false, or a map such as path: /healthz. */
export interface HealthCheckSettings {
  /** http sends a request and reads the response; tcp only connects. Default: "http". */
  readonly type?: 'http' | 'tcp';
  /** The address to check instead of the server's own: host:port or unix:/path. */
  readonly address?: string | number;
  /** The port to check instead of the server's own. */
  readonly port?: number;
  /** The method of the request. Default: "GET". */
  readonly method?: string;
  /** The path of the request. Redirects are not followed: their status counts. Default: "/". */
  readonly path?: string;
  /** The Host field of the request. By default the address that is checked. */
  readonly host?: string;
  /** Additional fields of the request. User-Agent and Accept replace those of lb. */
  readonly headers?: TextsSettings;
  /** The body of the request, in UTF-8. */
  readonly body?: string;
  /**
   * The status codes of a healthy server: a code, a range, or a list of both. By default 200-399 if a path is set
   * here or in an outer place; otherwise any status below 500, because / does not exist on many servers.
   */
  readonly expect_status?: StatusesSetting;
  /** Fields that the response must have: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly expect_header?: ValuesSettings;
  /**
   * What the body of the response must contain: a text within its first 64 KiB, or a regular expression between
   * slashes that matches within its first 8 KiB.
   */
  readonly expect_body?: string;
  /**
   * Time between the end of one check and the start of the next: two checks of a server never overlap. Default: "5s".
   */
  readonly interval?: DurationSetting;
  /**
   * The interval after a check whose result differs from the server's state, until rise or fall is reached or the
   * state is confirmed. Never longer than interval. Default: "1s".
   */
  readonly fast_interval?: DurationSetting;
  /** The interval while the server is down. By default like interval. */
  readonly down_interval?: DurationSetting;
  /**
   * Share by which an interval varies at random, at most 50%, so that checks of many servers don't happen at the same
   * time. The first checks are spread over a second. Default: "10%".
   */
  readonly jitter?: PercentSetting;
  /** Time for a whole check, including the connection. Default: "2s". */
  readonly timeout?: DurationSetting;
  /** Checks in a row that must pass before a server that is down is used again. Default: 2. */
  readonly rise?: number;
  /** Checks in a row that must fail before a server is taken out. Default: 3. */
  readonly fall?: number;
  /**
   * The state of a server before its first check. unknown: it gets no requests yet, and the first check alone
   * decides. down: as many checks as rise have to pass. A server that comes while requests are served may still be
   * starting: it is checked at once and often, and until a check has passed the first that fails takes it out and the
   * first that passes brings it in (unless it is down at first). Default: "up".
   */
  readonly initial?: 'up' | 'down' | 'unknown';
  /**
   * What happens to requests and tunnels in flight when their server goes down: finish lets them end, cut ends them
   * (and retries them elsewhere where that is safe). Default: "finish".
   */
  readonly on_down?: 'finish' | 'cut';
}

/** True, false, or a map such as path: /healthz. */
export type HealthCheckSetting = HealthCheckSettings | boolean;

/** True, false, or a map such as consecutive_failures: 5. */
export interface PassiveHealthSettings {
  /**
   * Failures in a row that eject a server: connections refused or cut, and responses that are invalid or late. A late
   * response does not count while the server answers other requests, or while it passes its checks and no other
   * server answers either: then the request is probably a long poll. A client that goes away is no failure. 0
   * switches it off. Default: 5.
   */
  readonly consecutive_failures?: number;
  /**
   * Error responses in a row that eject a server: those with an error_status, and those that are not valid HTTP/1.1.
   * They are counted separately from failures. 0 switches it off. Default: 5.
   */
  readonly consecutive_errors?: number;
  /**
   * The statuses that count as errors: a status, a range, or a list of both; false: none. 500 is not among them by
   * default, because it is mostly a mistake in one page, which all servers share. Default: "502-504".
   */
  readonly error_status?: number | string | readonly (number | string)[] | false;
  /** The period over which failure_share is computed. Default: "10s". */
  readonly window?: DurationSetting;
  /**
   * The share of failures and errors among the requests of the window that ejects a server. 0% switches it off.
   * Default: "50%".
   */
  readonly failure_share?: PercentSetting;
  /** The fewest requests in the window for which failure_share is computed. Default: 20. */
  readonly minimum_requests?: number;
  /**
   * How long an ejection lasts: this long the first time, twice as long the second, and so on. Each such period
   * without trouble reduces the factor by one. Default: "30s".
   */
  readonly eject_for?: DurationSetting;
  /** The longest an ejection lasts. Default: "5m". */
  readonly max_eject_for?: DurationSetting;
  /**
   * The share of the servers of a list that may be ejected at once: at least one, but never the last that can be
   * used. Default: "50%".
   */
  readonly max_ejected?: PercentSetting;
  /**
   * Requests, one at a time, that must succeed before a server that returns gets its full share. The first that fails
   * ejects it again, for longer. 0: no trial. Default: 3.
   */
  readonly trial_requests?: number;
}

/** True, false, or a map such as consecutive_failures: 5. */
export type PassiveHealthSetting = PassiveHealthSettings | boolean;

/** A host with its settings, such as host: www.mango.com and servers:. */
export interface HostSettings {
  /**
   * A name, a wildcard for all names below one, "~ regex" for all names that a regular expression matches ("~* regex"
   * ignores case), or a list of these. Case and port do not count: a host is compared in lower case. An exact name
   * takes precedence, then the longest wildcard, then the first regular expression in the order of the file. {$1} in
   * templates is a group of the expression.
   */
  readonly host: string | readonly string[];
  /** The servers that share the requests of this place. */
  readonly servers?: readonly ServerSetting[];
  /**
   * Settings for single paths. An exact path takes precedence, then a regular expression, then the longest prefix. By
   * default a prefix is stripped.
   */
  readonly paths?: readonly PathSettings[];
  /** Conditional routes, in order: the first whose conditions match is taken, before paths and servers. */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or languages, of what this place serves without a condition on the language. Sibling routes with
   * match: { language: … } are weighed against it. It applies to places inside too. Without it, a client that prefers
   * any other language to those of the routes gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * Changes to the request's header fields before they are sent to the server, in the order remove, replace, add,
   * append. A name stands for every spelling that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * Changes to the response's header fields before they are sent to the client, in the order remove, replace, add,
   * append. A name stands for every spelling that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /**
   * Pages instead of the short texts with which lb answers errors itself, and, with servers: true, instead of the
   * errors of servers. The first page whose status fits is taken, those of inner places before those of outer ones;
   * if pages of several types fit, the client's Accept decides, and the first of them where it says nothing. Without
   * a page for it, an error keeps its short text. Retry-After and other fields stay, and the response is never
   * cached.
   */
  readonly error_pages?: readonly ErrorPageSettings[];
  /**
   * Tells browsers to use only https for this long (RFC 6797): every response to a request over https gets
   * Strict-Transport-Security instead of the server's own. 0 makes browsers forget it. A map can extend it to all
   * names below the host.
   */
  readonly hsts?: HstsTermsSetting;
  /** Changes to the query parameters before they are sent to the server. All others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** Changes to the request's cookies before they are sent to the server. */
  readonly cookie_rules?: CookieRulesSettings;
  /** Changes to the path before it is sent to the server, in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Which clients and requests are refused. At the top of the file it applies to every request, before routing;
   * elsewhere to the requests of that place. A request that avoids the guards of a path with a spelling that a server
   * may read as that path (/;/admin, /x/..;/admin, /%2561dmin) is refused with 403. As in paths, case counts.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Redirects the client, instead of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers with a fixed response, instead of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client's request; otherwise it gets its own address. By default false for
   * paths at the top of the file, true for all others.
   */
  readonly preserve_host?: boolean;
  /** Settings that differ from the health_check of the file. Only together with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, instead of the algorithm of the file. Only together with servers. */
  readonly algorithm?: AlgorithmSetting;
  /**
   * How long one of these servers takes to return to its full weight after it was out. Only together with servers.
   */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client returns to it as long as
   * it can be used, also while it drains or has weight 0; otherwise another server is chosen and named. By header,
   * param or client_ip: a value that is new is assigned as by hash; lb remembers the assignment for as long as expire
   * says, also while the server drains or has weight 0, and assigns another server when this one is down. A client
   * that was bound to a backup server returns to the other servers as soon as one can be used. Each balancer
   * remembers up to 131,072 values, also over a reload; a value that was forgotten is assigned as by hash again,
   * mostly to the same server. false: not here.
   */
  readonly sticky?: StickySettings | false;
  /** Settings that differ from the passive_health of the file. Only together with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** Settings that differ from the pool of the file. Only together with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a failed request is sent to another server. Never after the client has received part of a response; and a
   * request that must not be processed twice (POST) only if nothing of it was sent. false: no retries. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /**
   * How long a request that finds no usable server waits for one to come back, instead of getting 503 at once: a
   * restart of the only server is then a delay. Requests wait in their order, and one whose client leaves is dropped.
   * Only a request of which nothing was processed waits: one that reached no server, or that may be sent twice (GET)
   * and of which the client has seen nothing. When a server is back the first request is tried, then more with each
   * that reaches it. When the time is over the client gets 503. false: no waiting.
   */
  readonly hold?: HoldTermsSetting;
  /**
   * Answers every request with 503 and Retry-After, with the page that error_pages has for it, while work is done
   * here. Firewalls are asked before, requests in flight finish, and health checks go on. Inner places inherit it;
   * false opens one of them. An operator does the same to a host for a time, without an edit of the file: lb
   * maintenance --host HOST --for 30m.
   */
  readonly maintenance?: MaintenanceTermsSetting;
  /** Deadlines that differ from those of the file. 0 switches a deadline off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** A path with its settings, such as path: /img and servers:. */
export interface PathSettings {
  /**
   * A prefix of whole segments; "= /x" is an exact path, "~ regex" a regular expression, "~* regex" one that ignores
   * case. It is compared with the normalised, decoded path. Regular expressions are those of JavaScript without
   * lookarounds and backreferences, and take time linear in the length of the text; a request for which all of them
   * together would take too long is answered 431, or 403 by a firewall.
   */
  readonly path: string;
  /**
   * Whether the prefix is removed from the path that the server gets: /img/a becomes /a. By default true for a prefix
   * and false for an exact path; a regular expression has no prefix to strip.
   */
  readonly strip_prefix?: boolean;
  /** The servers that share the requests of this place. */
  readonly servers?: readonly ServerSetting[];
  /** Conditional routes, in order: the first whose conditions match is taken, before paths and servers. */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or languages, of what this place serves without a condition on the language. Sibling routes with
   * match: { language: … } are weighed against it. It applies to places inside too. Without it, a client that prefers
   * any other language to those of the routes gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * Changes to the request's header fields before they are sent to the server, in the order remove, replace, add,
   * append. A name stands for every spelling that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * Changes to the response's header fields before they are sent to the client, in the order remove, replace, add,
   * append. A name stands for every spelling that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /**
   * Pages instead of the short texts with which lb answers errors itself, and, with servers: true, instead of the
   * errors of servers. The first page whose status fits is taken, those of inner places before those of outer ones;
   * if pages of several types fit, the client's Accept decides, and the first of them where it says nothing. Without
   * a page for it, an error keeps its short text. Retry-After and other fields stay, and the response is never
   * cached.
   */
  readonly error_pages?: readonly ErrorPageSettings[];
  /** Changes to the query parameters before they are sent to the server. All others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** Changes to the request's cookies before they are sent to the server. */
  readonly cookie_rules?: CookieRulesSettings;
  /** Changes to the path before it is sent to the server, in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Which clients and requests are refused. At the top of the file it applies to every request, before routing;
   * elsewhere to the requests of that place. A request that avoids the guards of a path with a spelling that a server
   * may read as that path (/;/admin, /x/..;/admin, /%2561dmin) is refused with 403. As in paths, case counts.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Redirects the client, instead of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers with a fixed response, instead of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client's request; otherwise it gets its own address. By default false for
   * paths at the top of the file, true for all others.
   */
  readonly preserve_host?: boolean;
  /** Settings that differ from the health_check of the file. Only together with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, instead of the algorithm of the file. Only together with servers. */
  readonly algorithm?: AlgorithmSetting;
  /**
   * How long one of these servers takes to return to its full weight after it was out. Only together with servers.
   */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client returns to it as long as
   * it can be used, also while it drains or has weight 0; otherwise another server is chosen and named. By header,
   * param or client_ip: a value that is new is assigned as by hash; lb remembers the assignment for as long as expire
   * says, also while the server drains or has weight 0, and assigns another server when this one is down. A client
   * that was bound to a backup server returns to the other servers as soon as one can be used. Each balancer
   * remembers up to 131,072 values, also over a reload; a value that was forgotten is assigned as by hash again,
   * mostly to the same server. false: not here.
   */
  readonly sticky?: StickySettings | false;
  /** Settings that differ from the passive_health of the file. Only together with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** Settings that differ from the pool of the file. Only together with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a failed request is sent to another server. Never after the client has received part of a response; and a
   * request that must not be processed twice (POST) only if nothing of it was sent. false: no retries. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /**
   * How long a request that finds no usable server waits for one to come back, instead of getting 503 at once: a
   * restart of the only server is then a delay. Requests wait in their order, and one whose client leaves is dropped.
   * Only a request of which nothing was processed waits: one that reached no server, or that may be sent twice (GET)
   * and of which the client has seen nothing. When a server is back the first request is tried, then more with each
   * that reaches it. When the time is over the client gets 503. false: no waiting.
   */
  readonly hold?: HoldTermsSetting;
  /**
   * Answers every request with 503 and Retry-After, with the page that error_pages has for it, while work is done
   * here. Firewalls are asked before, requests in flight finish, and health checks go on. Inner places inherit it;
   * false opens one of them. An operator does the same to a host for a time, without an edit of the file: lb
   * maintenance --host HOST --for 30m.
   */
  readonly maintenance?: MaintenanceTermsSetting;
  /** Deadlines that differ from those of the file. 0 switches a deadline off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** A route with match: and its settings. */
export interface RouteSettings {
  /** Conditions that must all hold. */
  readonly match: MatchSettings;
  /** The servers that share the requests of this place. */
  readonly servers?: readonly ServerSetting[];
  /**
   * Changes to the request's header fields before they are sent to the server, in the order remove, replace, add,
   * append. A name stands for every spelling that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * Changes to the response's header fields before they are sent to the client, in the order remove, replace, add,
   * append. A name stands for every spelling that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /**
   * Pages instead of the short texts with which lb answers errors itself, and, with servers: true, instead of the
   * errors of servers. The first page whose status fits is taken, those of inner places before those of outer ones;
   * if pages of several types fit, the client's Accept decides, and the first of them where it says nothing. Without
   * a page for it, an error keeps its short text. Retry-After and other fields stay, and the response is never
   * cached.
   */
  readonly error_pages?: readonly ErrorPageSettings[];
  /** Changes to the query parameters before they are sent to the server. All others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** Changes to the request's cookies before they are sent to the server. */
  readonly cookie_rules?: CookieRulesSettings;
  /** Changes to the path before it is sent to the server, in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Which clients and requests are refused. At the top of the file it applies to every request, before routing;
   * elsewhere to the requests of that place. A request that avoids the guards of a path with a spelling that a server
   * may read as that path (/;/admin, /x/..;/admin, /%2561dmin) is refused with 403. As in paths, case counts.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Redirects the client, instead of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers with a fixed response, instead of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client's request; otherwise it gets its own address. By default false for
   * paths at the top of the file, true for all others.
   */
  readonly preserve_host?: boolean;
  /** Settings that differ from the health_check of the file. Only together with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, instead of the algorithm of the file. Only together with servers. */
  readonly algorithm?: AlgorithmSetting;
  /**
   * How long one of these servers takes to return to its full weight after it was out. Only together with servers.
   */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client returns to it as long as
   * it can be used, also while it drains or has weight 0; otherwise another server is chosen and named. By header,
   * param or client_ip: a value that is new is assigned as by hash; lb remembers the assignment for as long as expire
   * says, also while the server drains or has weight 0, and assigns another server when this one is down. A client
   * that was bound to a backup server returns to the other servers as soon as one can be used. Each balancer
   * remembers up to 131,072 values, also over a reload; a value that was forgotten is assigned as by hash again,
   * mostly to the same server. false: not here.
   */
  readonly sticky?: StickySettings | false;
  /** Settings that differ from the passive_health of the file. Only together with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** Settings that differ from the pool of the file. Only together with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a failed request is sent to another server. Never after the client has received part of a response; and a
   * request that must not be processed twice (POST) only if nothing of it was sent. false: no retries. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /**
   * How long a request that finds no usable server waits for one to come back, instead of getting 503 at once: a
   * restart of the only server is then a delay. Requests wait in their order, and one whose client leaves is dropped.
   * Only a request of which nothing was processed waits: one that reached no server, or that may be sent twice (GET)
   * and of which the client has seen nothing. When a server is back the first request is tried, then more with each
   * that reaches it. When the time is over the client gets 503. false: no waiting.
   */
  readonly hold?: HoldTermsSetting;
  /**
   * Answers every request with 503 and Retry-After, with the page that error_pages has for it, while work is done
   * here. Firewalls are asked before, requests in flight finish, and health checks go on. Inner places inherit it;
   * false opens one of them. An operator does the same to a host for a time, without an edit of the file: lb
   * maintenance --host HOST --for 30m.
   */
  readonly maintenance?: MaintenanceTermsSetting;
  /** Deadlines that differ from those of the file. 0 switches a deadline off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** Conditions that must all hold. */
export interface MatchSettings {
  /** A prefix of whole segments, "= /exact", "~ regex" or "~* regex" (ignores case). */
  readonly path?: string;
  /** One method, or a list of methods. */
  readonly method?: MethodsSetting;
  /** Header fields: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly header?: ValuesSettings;
  /** Query parameters: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly param?: ValuesSettings;
  /** Cookies: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly cookie?: ValuesSettings;
  /**
   * A language, or a list of languages. The condition holds if one of them fits Accept-Language best, among the
   * languages of the sibling routes and of what the place serves without a condition (language: beside routes:). A
   * place without language: counts as speaking every language that no sibling names.
   */
  readonly language?: string | readonly string[];
  /** An address or CIDR, or a list of these, that the client's address must be in. */
  readonly client_ip?: ClientIpsSetting;
  /**
   * An address or CIDR, or a list of these, that the address of the peer must be in: the other end of the connection,
   * which may be a proxy.
   */
  readonly peer_ip?: ClientIpsSetting;
  /**
   * The scheme that the client used, as a trusted proxy in front reports it in X-Forwarded-Proto or Forwarded: http
   * or https, or a list of both. Without a trusted proxy it is that of the listener.
   */
  readonly scheme?: SchemesSetting;
  /**
   * Host names that the client asked for in its TLS handshake (SNI), or a list of these; *.example.com stands for
   * every name below. Does not hold for a connection without TLS, or without the name.
   */
  readonly sni?: string | readonly string[];
  /**
   * The certificate that the client showed: true holds for every valid one, false when there is none or it is not
   * valid, and a map asks for a valid one with these facts.
   */
  readonly client_cert?: ClientCertMatchSetting;
  /** Conditions that must not all hold. */
  readonly not?: InnerMatchSettings;
  /** A list of conditions, at least one of which must hold. */
  readonly any?: readonly InnerMatchSettings[];
}

/** Conditions that must all hold. language is not possible here, because it is decided between sibling routes. */
export interface InnerMatchSettings {
  /** A prefix of whole segments, "= /exact", "~ regex" or "~* regex" (ignores case). */
  readonly path?: string;
  /** One method, or a list of methods. */
  readonly method?: MethodsSetting;
  /** Header fields: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly header?: ValuesSettings;
  /** Query parameters: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly param?: ValuesSettings;
  /** Cookies: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly cookie?: ValuesSettings;
  /** An address or CIDR, or a list of these, that the client's address must be in. */
  readonly client_ip?: ClientIpsSetting;
  /**
   * An address or CIDR, or a list of these, that the address of the peer must be in: the other end of the connection,
   * which may be a proxy.
   */
  readonly peer_ip?: ClientIpsSetting;
  /**
   * The scheme that the client used, as a trusted proxy in front reports it in X-Forwarded-Proto or Forwarded: http
   * or https, or a list of both. Without a trusted proxy it is that of the listener.
   */
  readonly scheme?: SchemesSetting;
  /**
   * Host names that the client asked for in its TLS handshake (SNI), or a list of these; *.example.com stands for
   * every name below. Does not hold for a connection without TLS, or without the name.
   */
  readonly sni?: string | readonly string[];
  /**
   * The certificate that the client showed: true holds for every valid one, false when there is none or it is not
   * valid, and a map asks for a valid one with these facts.
   */
  readonly client_cert?: ClientCertMatchSetting;
  /** Conditions that must not all hold. */
  readonly not?: InnerMatchSettings;
  /** A list of conditions, at least one of which must hold. */
  readonly any?: readonly InnerMatchSettings[];
}

/** True, false, or facts such as { subject: CN=alice }. */
export interface ClientCertMatchSettings {
  /**
   * Whom the certificate was issued to, as RFC 4514 writes it. A value is exact, or /regex/i a regular expression.
   */
  readonly subject?: string | number | boolean;
  /** Who issued the certificate, in the same form. */
  readonly issuer?: string | number | boolean;
  /** The serial number in hexadecimal digits, in upper case. */
  readonly serial?: string | number | boolean;
  /** The SHA-256 of the certificate in hexadecimal digits, in lower case and without colons. */
  readonly fingerprint?: string | number | boolean;
  /** One of the names in its subjectAltName, with its kind in front. */
  readonly name?: string | number | boolean;
}

/** True, false, or facts such as { subject: CN=alice }. */
export type ClientCertMatchSetting = boolean | ClientCertMatchSettings;

/** Http or https, or a list of both. */
export type SchemesSetting = string | readonly string[];

/** A method such as GET, or a list of methods. */
export type MethodsSetting = string | readonly string[];

/** Names with a value each, such as X-Beta: "*". */
export type ValuesSettings = Readonly<Record<string, string | number | boolean>>;

/** Names with a text each, such as X-Name: text. */
export type TextsSettings = Readonly<Record<string, string | number | boolean>>;

/** A list of names, or a map of which only the keys count. */
export type NamesSetting = readonly string[] | Readonly<Record<string, unknown>>;

/** Texts to find, each with its replacement. */
export type ReplacementsSettings = Readonly<Record<string, string | number | boolean>>;

/** An address or CIDR such as 10.0.0.0/8, or a list of these. */
export type ClientIpsSetting = string | readonly string[];

/** A duration such as 365d, or a map with max_age. */
export interface HstsTermsSettings {
  /** How long browsers remember it after their last visit. */
  readonly max_age: DurationSetting;
  /** Whether it holds for all names below the host too. Default: false. */
  readonly include_subdomains?: boolean;
  /**
   * Whether browsers may ship with this host in their list: their makers require this word, a max_age of a year, and
   * include_subdomains. Default: false.
   */
  readonly preload?: boolean;
}

/** A duration such as 365d, or a map with max_age. */
export type HstsTermsSetting = DurationSetting | number | HstsTermsSettings;

/** A map with add, append, remove or replace. */
export interface HeaderEditsSettings {
  /**
   * Sets a field; an existing one is replaced. Templates such as {client_ip} are filled in; {attempt} is 1 for the
   * first attempt and counts up with each retry.
   */
  readonly add?: TextsSettings;
  /** Adds a field even if there is one of this name. */
  readonly append?: TextsSettings;
  /**
   * Removes a field: a list of names, or a map whose values are ignored. Removing Host sends the server's own
   * address.
   */
  readonly remove?: NamesSetting;
  /**
   * Edits the values of a field: a key is a text or a regular expression between slashes, and $1 is a group of it.
   */
  readonly replace?: Readonly<Record<string, ReplacementsSettings>>;
}

/** Changes to the query parameters before they are sent to the server. All others keep their order and encoding. */
export interface ParamRulesSettings {
  /** Sets a parameter; an existing one is replaced. Templates such as {client_ip} are filled in. */
  readonly add?: TextsSettings;
  /** Removes a parameter: a list of names, or a map whose values are ignored. */
  readonly remove?: NamesSetting;
}

/** Changes to the request's cookies before they are sent to the server. */
export interface CookieRulesSettings {
  /** Sets a cookie; an existing one is replaced. Templates such as {client_ip} are filled in. */
  readonly add?: TextsSettings;
  /** Removes a cookie: a list of names, or a map whose values are ignored. */
  readonly remove?: NamesSetting;
}

/** Changes to the path before it is sent to the server, in the order strip_prefix, replace, add_prefix. */
export interface RewriteRulesSettings {
  /** Removes these segments from the start of the path, if they are there. */
  readonly strip_prefix?: string;
  /**
   * Replaces whole segments; a key between slashes is a regular expression over the path, and $1 is a group of it.
   */
  readonly replace?: ReplacementsSettings;
  /** Adds these segments at the start of the path. */
  readonly add_prefix?: string;
}

/**
 * Which clients and requests are refused. At the top of the file it applies to every request, before routing;
 * elsewhere to the requests of that place. A request that avoids the guards of a path with a spelling that a server
 * may read as that path (/;/admin, /x/..;/admin, /%2561dmin) is refused with 403. As in paths, case counts.
 */
export interface FirewallRulesSettings {
  /** Addresses and CIDRs that are refused; { file: PATH } reads them from a file, one per line. Default: []. */
  readonly ip_reject?: NetworksSetting;
  /** Addresses and CIDRs that are let in: all others are refused. An empty list lets everyone in. Default: []. */
  readonly ip_allow?: NetworksSetting;
  /**
   * Paths that are refused: a prefix of whole segments, "= /exact", "~ regex" or "~* regex", compared with the
   * normalised, decoded path. Default: [].
   */
  readonly path_reject?: string | readonly string[];
  /** Methods that are refused, in upper and lower case: some servers take delete for DELETE. */
  readonly method_reject?: MethodsSetting;
  /**
   * Requests with one of these header fields are refused, in every spelling that servers read alike (X_User and
   * X.User for X-User): a value is exact, /regex/i a regular expression, "*" any value.
   */
  readonly header_reject?: ValuesSettings;
  /** How many requests a client may send. */
  readonly rate_limit?: RateLimitSettings;
  /**
   * At the top of the file: maximum number of connections of one client address at once; further ones are closed at
   * accept. Elsewhere: maximum number of requests of one client address in flight; further ones are answered 429 with
   * Retry-After. 0 is no limit. Default: 0.
   */
  readonly max_connections_per_ip?: number;
  /** Refuses a client for a while after it got too many responses with one of these statuses. */
  readonly ban?: BanSettings;
  /** enforce refuses; observe only counts and logs what it would have refused. Default: "enforce". */
  readonly mode?: 'enforce' | 'observe';
}

/** An address or CIDR such as 10.0.0.0/8, or a list of these. */
export type NetworksSetting = string | readonly NetworkSetting[];

/** An address or CIDR such as 10.0.0.0/8, or file: with a path. */
export interface NetworkSettings {
  /** A regular file of at most 256mb with an address or CIDR per line; a # begins a comment. */
  readonly file: string;
}

/** An address or CIDR such as 10.0.0.0/8, or file: with a path. */
export type NetworkSetting = string | NetworkSettings;

/** A map such as requests: 100. */
export interface RateLimitSettings {
  /** Requests that a client may send in each period. */
  readonly requests: number;
  /** The period. Default: "1s". */
  readonly per?: DurationSetting;
  /** Requests that may come at once. By default as many as in a whole period. */
  readonly burst?: number;
  /**
   * What identifies a client: client_ip, header.NAME or cookie.NAME. All addresses of an IPv6 /64 are one client.
   * Default: "client_ip".
   */
  readonly key?: string;
  /** The status of responses to requests beyond the limit. Default: 429. */
  readonly status?: number;
}

/** A map such as status: [401, 404]. */
export interface BanSettings {
  /** The statuses that count: a status, a range, or a list of both. */
  readonly status: StatusesSetting;
  /** How many such responses lead to a ban. */
  readonly count: number;
  /** The time within which they must occur. Default: "60s". */
  readonly within?: DurationSetting;
  /** How long the ban lasts. Default: "10m". */
  readonly for?: DurationSetting;
}

/** A status such as 200, a range such as 200-399, or a list of these. */
export type StatusesSetting = number | string | readonly (number | string)[];

/** A duration such as 10s, false, or a map with for. */
export interface HoldTermsSettings {
  /** How long a request waits at most, from the moment when no server was left. */
  readonly for: DurationSetting;
  /** How many requests of a route wait at once, in all threads; further ones get 503. Default: 1000. */
  readonly max_requests?: number;
}

/** A duration such as 10s, false, or a map with for. */
export type HoldTermsSetting = DurationSetting | number | false | HoldTermsSettings;

/** True, false, or a map with allow and retry_after. */
export interface MaintenanceTermsSettings {
  /** Addresses and CIDRs of the clients that are served as usual: those who do the work. */
  readonly allow?: ClientIpsSetting;
  /** What Retry-After says: when clients may come back. Default: "60s". */
  readonly retry_after?: DurationSetting;
}

/** True, false, or a map with allow and retry_after. */
export type MaintenanceTermsSetting = boolean | MaintenanceTermsSettings;

/** A page, such as status: 404 and file: pages/404.html. */
export interface ErrorPageSettings {
  /** The errors that the page is for: a code, a range, or a list of both. */
  readonly status: StatusesSetting;
  /**
   * A file with the page, relative to the settings file; at most 256 KiB. It is read when the settings are, and again
   * at a reload; --watch watches it. {status}, {title}, {reason} and {request_id} in a text are filled in, escaped
   * for its type; all other braces stay.
   */
  readonly file?: string;
  /**
   * The page itself. {status} is filled in, {title} (such as Not Found), {reason} (the word of the log, such as
   * no_server; empty for the error of a server) and {request_id}, escaped for its type.
   */
  readonly text?: string;
  /**
   * The Content-Type. By default that of the extension of the file; of a text it is JSON or HTML if it looks like
   * that, and else plain text.
   */
  readonly type?: string;
  /**
   * Whether the page also replaces such a response of a server: its body is read and dropped, its fields stay except
   * those that describe the body or let it be cached. The answers 401 and 407 are always left to the server. Default:
   * false.
   */
  readonly servers?: boolean;
}

/** Redirects the client, instead of servers. */
export interface RedirectSettings {
  /**
   * A URL, or a path of the same host. Templates such as {path} and {query} are filled in, percent-encoded. No value
   * of a request changes the host that is written here: a target that begins with a template stays on the requested
   * host, and a template after a host becomes part of the path.
   */
  readonly to: string;
  /**
   * The status: 301 and 308 are permanent, 302 and 307 temporary; 307 and 308 keep the method, 303 changes it to GET.
   * Default: 302.
   */
  readonly status?: number;
}

/** Answers with a fixed response, instead of servers. */
export interface RespondSettings {
  /** The status code. Default: 200. */
  readonly status?: number;
  /**
   * A file whose content is the body, relative to the settings file; at most 256 KiB. It is read when the settings
   * are, and again at a reload; --watch watches it. Content-Type follows the extension of its name, unless headers
   * says otherwise.
   */
  readonly file?: string;
  /** The body, sent as written. Default: "". */
  readonly body?: string;
  /** Header fields. Without Content-Type the body is text/plain. Templates such as {request_id} are filled in. */
  readonly headers?: TextsSettings;
}

/**
 * When a failed request is sent to another server. Never after the client has received part of a response; and a
 * request that must not be processed twice (POST) only if nothing of it was sent. false: no retries.
 */
export interface RetrySettings {
  /**
   * Retries after the first attempt: with 2 a request reaches at most three servers. A retry goes to another server;
   * only if there is no other, it goes to the same one again after a moment. Replacing a stale connection does not
   * count as a retry. Default: 2.
   */
  readonly attempts?: number;
  /**
   * What is retried. connect: no connection to the server could be opened. stale: a connection that had been used
   * before was closed while the request was sent; the same server gets it again on a new connection. reset: any other
   * connection was closed before the response head was complete. timeout: no response within
   * timeouts.response_header. A status or a range: such a response, as long as there are retries left. All but
   * connect apply only to GET, HEAD, OPTIONS, TRACE, PUT and DELETE whose body is still in the buffer. Default:
   * ["connect","stale","reset"].
   */
  readonly on?: readonly (string | number)[];
  /**
   * Maximum number of retries, as a share of the requests of the last 10 seconds; 3 per second are always allowed. It
   * keeps retries from overloading servers that fail. Beyond it the failure is passed on to the client, with the
   * reason retry_budget in the log. Attempts for which no connection could be opened do not count. false: no limit.
   * Default: "20%".
   */
  readonly budget?: string | boolean;
  /**
   * How much of a request body is kept in memory for a retry. A request with a longer body is not retried after part
   * of the body was sent. Default: "64kb".
   */
  readonly buffer?: SizeSetting;
  /**
   * Whether a request with an Idempotency-Key field is retried whatever its method. Only for servers that recognise a
   * repeated key. Default: false.
   */
  readonly idempotency_key?: boolean;
}

/** Deadlines that differ from those of the file. 0 switches a deadline off. */
export interface RouteTimeoutsSettings {
  /**
   * Longest pause in a request body, while the server is ready for it and the client sends nothing. Then the client
   * gets 408. Default: "30s".
   */
  readonly request_body?: DurationSetting;
  /** Time to open a connection to a server. Then another server is tried, or the client gets 504. Default: "3s". */
  readonly connect?: DurationSetting;
  /**
   * How long a request waits for a free connection when all of a server's are in use. Then the client gets 503.
   * Default: "5s".
   */
  readonly queue?: DurationSetting;
  /**
   * Time from the end of the request to the end of the response head. Then the client gets 504. Long polls and slow
   * reports may need more: set this timeout for their path. Default: "60s".
   */
  readonly response_header?: DurationSetting;
  /**
   * Longest pause in a response body: no byte from the server, or none taken by the client. Then the connection is
   * cut. Default: "60s".
   */
  readonly response_body?: DurationSetting;
  /**
   * Time for a request as a whole, from the end of its head to the end of its response, including its body, waiting
   * for a connection and every retry (response_header limits a single attempt). Then the client gets 504, or the
   * connection is cut if the response has begun. Does not apply to tunnels. Default: 0.
   */
  readonly total?: DurationSetting;
  /** How long an upgraded connection (WebSocket) may be idle in both directions. Then it is closed. Default: "1h". */
  readonly tunnel?: DurationSetting;
}

/** Limits that differ from those of the file. */
export interface RouteLimitsSettings {
  /** Largest request body; a larger one gets 413. 0 is no limit. Default: 0. */
  readonly body_bytes?: SizeSetting;
  /**
   * Slowest average rate of a request body, in bytes per second, measured from its tenth second on; a slower client
   * gets 408. Time that lb waits for the server does not count. 0 is no limit; timeouts.request_body still applies.
   * Default: 0.
   */
  readonly body_rate?: SizeSetting;
}

/** The expected outcome; what is not named is not checked. */
export interface ExpectSettings {
  /** The name of the route, as lb explain shows it. */
  readonly route?: string;
  /**
   * Whether the connection is closed at accept because of the addresses in firewall_rules of the file: such a client
   * gets no response.
   */
  readonly closed?: boolean;
  /** The status of a redirect, a fixed response or a refusal. */
  readonly status?: number;
  /** The path the server gets. */
  readonly path?: string;
  /** The query the server gets, without the question mark. */
  readonly query?: string;
  /** The Location of a redirect. */
  readonly location?: string;
  /** Header fields that the server gets: a value is exact, /regex/i a regular expression, "*" any value. */
  readonly header?: ValuesSettings;
  /** Header fields the server does not get. */
  readonly no_header?: NamesSetting;
}

/** A case with request: and expect:. */
export interface TestSettings {
  /** A method and a URL. */
  readonly request: string;
  /** Header fields of the request. */
  readonly headers?: TextsSettings;
  /** The address of the client. Default: "127.0.0.1". */
  readonly ip?: string;
  /** The expected outcome; what is not named is not checked. */
  readonly expect: ExpectSettings;
}
