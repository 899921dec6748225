// Written by `make types` from schema.json: change the schema, not this file.

/**
 * How the names of servers become addresses. A name is asked for again when its TTL is over; its last good answer is
 * kept while none comes. localhost, and what only the hosts file knows, is looked up by the system.
 */
export interface DnsSettings {
  /** Name servers to ask, with a port if it is not 53. Without it: those of the system. */
  readonly servers?: readonly string[];
  /** A shorter TTL counts as this. Default: "1s". */
  readonly min_ttl?: DurationSetting;
  /** A longer TTL counts as this. Default: "5m". */
  readonly max_ttl?: DurationSetting;
}

/** Deadlines. 0 switches one off. */
export interface TimeoutsSettings {
  /** From the first byte of a request to the end of its head. Then 408. Default: "10s". */
  readonly request_header?: DurationSetting;
  /** Without a byte of the request body while the client owes one. Then 408. Default: "30s". */
  readonly request_body?: DurationSetting;
  /** An idle client connection between two requests. Then it is closed. Default: "65s". */
  readonly keep_alive?: DurationSetting;
  /**
   * The age, give or take a tenth, at which a client connection ends: its next answer says Connection: close. Clients
   * that never hang up come to know new addresses of the balancer that way. Default: "1h".
   */
  readonly connection_age?: DurationSetting;
  /** Opening a connection to a server. Then another server is tried, else 504. Default: "3s". */
  readonly connect?: DurationSetting;
  /** Waiting for a free connection to a server that is full. Then 503. Default: "5s". */
  readonly queue?: DurationSetting;
  /**
   * From the request sent to the end of the response head. Then 504. Long polls and slow reports may need more: give
   * their path timeouts of its own. Default: "60s".
   */
  readonly response_header?: DurationSetting;
  /**
   * Without a byte of the response body, or with a client that takes none of it. Then the connection is cut. Default:
   * "60s".
   */
  readonly response_body?: DurationSetting;
  /**
   * A request as a whole, from the end of its head to the end of its answer: its body, waiting in line and every
   * retry included; response_header is for a single attempt. Then 504, or the connection is cut if the answer has
   * begun. A tunnel has no such end. Default: 0.
   */
  readonly total?: DurationSetting;
  /** An upgraded connection (WebSocket) without a byte either way. Then it is closed. Default: "1h". */
  readonly tunnel?: DurationSetting;
  /**
   * On SIGTERM: how long new connections and requests are served as before, each answer with Connection: close, while
   * readiness_path and the admin's /readyz say 503 already: as long as a balancer in front needs to notice. A second
   * signal ends it early. Then drain begins. Default: 0.
   */
  readonly drain_delay?: DurationSetting;
  /** On SIGTERM, behind drain_delay: how long what is in flight may take. Default: "30s". */
  readonly drain?: DurationSetting;
}

/** What a client may send, and how many of them there may be. */
export interface LimitsSettings {
  /**
   * Size of a request head (start line and fields), and of a trailer section. Then 431. Response heads may have twice
   * that. Default: "32kb".
   */
  readonly header_bytes?: SizeSetting;
  /** Fields in a head. Then 431. Default: 100. */
  readonly headers?: number;
  /** Size of the request target (path and query). Then 414. Default: "8kb". */
  readonly uri_bytes?: SizeSetting;
  /** Size of a request body; 0 is no limit. Then 413. Default: 0. */
  readonly body_bytes?: SizeSetting;
  /**
   * What a client has to send of a request body in a second, on average and from its tenth second on; 0 is as slow as
   * it likes, as long as timeouts.request_body allows. Time that the server takes does not count. Then 408. Default:
   * 0.
   */
  readonly body_rate?: SizeSetting;
  /**
   * Client connections open at once. Beyond it the one that has been idle the longest is closed to make room for a
   * new one; where none is idle, the new one is. Never more than half of the files that the process may open (ulimit
   * -n, less 64), so that each leaves one for a connection to a server. Default: 10000.
   */
  readonly connections?: number;
  /**
   * The same for one client address, an IPv6 client being known by its /64; beyond it new ones are closed. 0 is no
   * limit. Default: 0.
   */
  readonly connections_per_ip?: number;
  /** Requests on one client connection; the answer to the last says Connection: close. 0 is no limit. Default: 0. */
  readonly requests_per_connection?: number;
}

/** Settings of the lb load balancer. Everything has a default; unknown keys are refused. */
export interface Settings {
  /**
   * Where to accept connections: a port (every interface), host:port, [v6]:port, unix:/path, or a list of these. A
   * port given on the command line wins. Default: 8080.
   */
  readonly listen?: number | string | readonly (number | string)[];
  /**
   * The door for operators: metrics, health of the balancer, an HTTP API and a status page. Off unless asked for. A
   * port alone is one on loopback; from other machines it is reached with a token only. Takes effect at the next
   * start. Default: false.
   */
  readonly admin?: AdminSetting;
  /**
   * One line per request: dev is short and coloured, combined is the Apache format, json one object per line, off
   * none. Without it: dev on a terminal, json otherwise. A map says where to, what of each, and of which requests.
   * Default: "json".
   */
  readonly access_log?: AccessLogSetting;
  /**
   * Who is told when servers come and go, are ejected or changed, clients are banned and settings reloaded, beside
   * the reader of stderr.
   */
  readonly events?: EventsSettings;
  /**
   * Where what operators change while it runs is kept over a restart: drained servers, weights, servers added and
   * removed. It is replaced as a whole at each change and read at the start, when what has no place in the settings
   * file any more is dropped, and so is a weight that was edited in the file since: the newer wish wins, and is told.
   * Each process needs one of its own.
   */
  readonly state_file?: string;
  /**
   * Addresses and CIDRs of the proxies in front whose X-Forwarded-* and X-Request-Id are believed. From anyone else
   * these are overwritten. Default: [].
   */
  readonly trusted_proxies?: AddressListSetting;
  /**
   * Whether servers are told who asks in Forwarded (RFC 7239) too, beside X-Forwarded-*. The Forwarded of a trusted
   * proxy is continued in any case, and believed where it sends no X-Forwarded-For. Default: false.
   */
  readonly forwarded?: boolean;
  /**
   * Whether servers are told in Via that the request came through a proxy (RFC 9110, 7.6.3). nginx compresses no
   * answer to a request that has a Via, unless gzip_proxied says so. A request that passes here again and again is
   * noticed by its CDN-Loop (RFC 8586) and answered 508 in any case. Default: false.
   */
  readonly via?: boolean;
  /**
   * For the health checks of a cloud or a balancer in front: GET and HEAD of this path, on every listener and for any
   * host, are answered 200 while requests may be sent, and 503 while it drains or no route has a usable server. It is
   * answered before routes, rules and the firewall, except for who is refused at accept, and neither logged nor
   * counted; no server gets a request for it.
   */
  readonly readiness_path?: string;
  /**
   * How servers are asked whether they are well. While no path is chosen it is GET /, and any answer below 500 is a
   * good one. false: they are believed to be up, and only failed connections speak against them. Default: true.
   */
  readonly health_check?: HealthCheckSetting;
  /**
   * How a server is chosen for a request, where servers don't say otherwise. Weights, backup servers and slow_start
   * count for all of them; first goes by max_connections alone. Default: "round_robin".
   */
  readonly algorithm?: AlgorithmSetting;
  /**
   * How long a server that was down, ejected or in maintenance takes to come to its full weight and max_connections,
   * from a tenth of them on, evenly. The servers there at the start begin with all of it. 0 is at once. Default: 0.
   */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client comes back to it while
   * it is there, also while it drains or has weight 0; else another is chosen and named. By header, param or
   * client_ip: requests with a value that is new go to a server as by hash, and stay with it as long as it is
   * remembered that it served them (expire), also while it drains or has weight 0; when it is down another serves
   * them and is remembered in its place. A client that was bound to a backup server while no other could be used goes
   * to the others again as soon as one of them can be. Every balancer remembers for itself, 131,072 values at most,
   * over a reload too; a value that is forgotten goes as by hash, which is most often the same server. false: not
   * here.
   */
  readonly sticky?: StickySettings | false;
  /**
   * When live requests take a server out: failures or errors in a row, or too large a share of them. It comes back by
   * itself, for a trial first. false: they never do. Default: true.
   */
  readonly passive_health?: PassiveHealthSetting;
  /** The connections to servers that are kept and shared, for each server. */
  readonly pool?: PoolSettings;
  /**
   * How the names of servers become addresses. A name is asked for again when its TTL is over; its last good answer
   * is kept while none comes. localhost, and what only the hosts file knows, is looked up by the system.
   */
  readonly dns?: DnsSettings;
  /**
   * When a request is sent to another server in place of one that failed. Never once the client has seen any of an
   * answer; never twice if acting twice is not the same as acting once (POST), unless nothing of it was sent. false:
   * nothing is tried again. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /** Deadlines. 0 switches one off. */
  readonly timeouts?: TimeoutsSettings;
  /** What a client may send, and how many of them there may be. */
  readonly limits?: LimitsSettings;
  /**
   * The servers of the default route, and of hosts, paths and routes that have none of their own. Without it what
   * matches nothing gets 404.
   */
  readonly servers?: readonly ServerSetting[];
  /** What is done for single hosts. The exact name wins, then the longest wildcard. Default: []. */
  readonly hosts?: readonly HostSettings[];
  /**
   * What is done for single paths of any other host. Exact wins, then a regular expression, then the longest prefix.
   * Such a path is stripped of its prefix and sent with the server's own address as Host, unless told otherwise.
   * Default: [].
   */
  readonly paths?: readonly PathSettings[];
  /** Conditions, in order: the first that matches wins, before paths and servers. Default: []. */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or a list of them, of what is served here without a condition on the language: routes with match: {
   * language: … } are chosen against it. Places inside have it too. Without it, a client that likes any other
   * language better than theirs gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * The request's header fields as the server sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * The response's header fields as the client sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /** The parameters of the query as the server sees them. The others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** The request's cookies as the server sees them. */
  readonly cookie_rules?: CookieRulesSettings;
  /** The path as the server sees it. Carried out in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Who and what is refused. At the top before routing, for every request; elsewhere for requests that end up there.
   * A request that goes past the guards of a path, while a server may read its path as that one (/;/admin,
   * /x/..;/admin, /%2561dmin), is refused with 403; case counts, as in paths.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Sends the client elsewhere, in place of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers by itself, in place of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client; else its own address. By default false for paths of the file
   * itself, true for all else.
   */
  readonly preserve_host?: boolean;
  /**
   * Requests and what must become of them. Run by lb check and before a reload: a failing case refuses the file.
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
   * dev is short and coloured, combined is the Apache format, json one object per line, off none. By default dev on a
   * terminal, json otherwise.
   */
  readonly format?: AccessLogFormat;
  /**
   * Where the lines go instead of stdout. SIGUSR1 or SIGUSR2 opens it anew after it was moved away. --access-log-file
   * wins.
   */
  readonly file?: string;
  /**
   * The fields of a json line, in this order; of a combined line those behind what Apache writes. By default all but
   * referer and trace_id, and duration_ms, server and request_id.
   */
  readonly fields?: readonly AccessLogField[];
  /** Requests that got such a status are always written, and those cut before their response was whole. */
  readonly status?: StatusesSetting;
  /** Requests that took longer are always written. */
  readonly slower_than?: DurationSetting;
  /**
   * The share of the other requests that is written. By default none where status or slower_than is given, else all.
   */
  readonly sample?: PercentSetting;
}

/** Dev, combined, json or off, or a map such as format: json. */
export type AccessLogSetting = AccessLogFormat | AccessLogSettings;

/** Dev, combined, json or off. */
export type AccessLogFormat = 'dev' | 'combined' | 'json' | 'off';

/** The name of a field. */
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
  | 'trace_id';

/** A map such as webhook: https://hooks.example.com/lb. */
export interface EventsSettings {
  /** Gets every event as JSON with POST, several in one request when they come close together. */
  readonly webhook: string;
  /** Signs each request: X-Lb-Signature is sha256= and the HMAC-SHA256 of the body in hex. */
  readonly secret?: string;
  /** For one request to the webhook. What failed is sent again, later each time. Default: "5s". */
  readonly timeout?: DurationSetting;
}

/** A share such as 20%. */
export type PercentSetting = string;

/** A list of addresses and CIDRs such as 10.0.0.0/8. */
export type AddressListSetting = readonly string[];

/** Host:port, unix:/path, or a map with an address. */
export interface ServerSettings {
  /** host:port, [v6]:port or unix:/path; a port alone is one on localhost. */
  readonly address: string | number;
  /** What logs call the server. By default its address. */
  readonly name?: string;
  /**
   * Its share of the work as against the others'. With 0 it gets no new requests, only those of clients that are
   * bound to it. Default: 1.
   */
  readonly weight?: number;
  /**
   * Whether it is used only while none of the others can be, or for a request that has tried them all. Default:
   * false.
   */
  readonly backup?: boolean;
  /**
   * Connections open to the server at once, in place of pool.max_connections. Requests beyond that wait in line, up
   * to timeouts.queue. 0 is no limit.
   */
  readonly max_connections?: number;
}

/** Host:port, unix:/path, or a map with an address. */
export type ServerSetting = string | number | ServerSettings;

/** A port, host:port, unix:/path, false, or a map such as listen: 127.0.0.1:9090. */
export interface AdminSettings {
  /**
   * A port (on 127.0.0.1), host:port, [v6]:port or unix:/path; *:9090 is every interface. Anything that other
   * machines can reach needs a token, and is refused without one. Default: "127.0.0.1:9090".
   */
  readonly listen?: number | string;
  /**
   * What a caller shows as Authorization: Bearer TOKEN, for /api and /metrics; the status page asks for it. /livez
   * and /readyz need none.
   */
  readonly token?: string;
  /**
   * A second token, for those who only look: Prometheus, dashboards, the status page on a wall. It shows all that
   * token does and changes nothing: what would is answered 403.
   */
  readonly read_token?: string;
  /**
   * Names under which it may be asked for, beside addresses, localhost and the host it listens on. Any other Host is
   * refused, so that no web page can reach it through a name of its own.
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
   * round_robin: each in turn. least_connections: the one with the fewest requests in flight. random: any.
   * power_of_two: of two drawn, the one with fewer requests in flight. least_response_time: of two drawn, the one
   * that will answer sooner. ip_hash: the same for the same client address. hash: the same for whatever `on` says.
   * first: the first in the list that has less than max_connections.
   */
  readonly name: AlgorithmName;
  /**
   * What hash goes by: client_ip (an IPv6 client by its /64), uri (path and query as received), path (normalised,
   * without the query), header.NAME, cookie.NAME or param.NAME.
   */
  readonly on?: string;
  /**
   * What hash does with a request that has no such field: another algorithm, or the client's address in its place.
   * Default: "round_robin".
   */
  readonly fallback?: AlgorithmFallback;
  /**
   * How many times its share of the requests in flight a server gets at most from hash or ip_hash; what is too much
   * goes to the next server of the same key. 1.25 is a quarter more. Without it there is no bound.
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
 * Keeps a client with its server. By cookie: the response names the server, and the client comes back to it while it
 * is there, also while it drains or has weight 0; else another is chosen and named. By header, param or client_ip:
 * requests with a value that is new go to a server as by hash, and stay with it as long as it is remembered that it
 * served them (expire), also while it drains or has weight 0; when it is down another serves them and is remembered
 * in its place. A client that was bound to a backup server while no other could be used goes to the others again as
 * soon as one of them can be. Every balancer remembers for itself, 131,072 values at most, over a reload too; a value
 * that is forgotten goes as by hash, which is most often the same server. false: not here.
 */
export interface StickySettings {
  /**
   * The name of a cookie of the balancer's own: HttpOnly, and Secure when a trusted proxy says that the client speaks
   * https. Its value is a keyed hash of the server's name, never its address. Servers don't see it: it is taken out
   * of the request. Give places of one host with different servers different names.
   */
  readonly cookie?: string;
  /**
   * The key of that hash. Balancers with the same secret and the same server names understand each other's cookies.
   * Without it one is made up at each start.
   */
  readonly secret?: string;
  /** How long the client keeps the cookie from when it is issued. 0: as long as the browser runs. Default: 0. */
  readonly max_age?: DurationSetting;
  /** The Domain of the cookie: it comes back from all hosts below. Without it from the host alone that issued it. */
  readonly domain?: string;
  /** The Path of the cookie: it comes back with requests below it. Default: "/". */
  readonly path?: string;
  /**
   * The SameSite of the cookie: whether it comes back in requests that another site causes. none is for pages that
   * are embedded elsewhere, and makes the cookie Secure. Default: "lax".
   */
  readonly same_site?: 'lax' | 'strict' | 'none';
  /** Keeps a cookie apart for each site that embeds the page (CHIPS), wherever it is Secure. Default: false. */
  readonly partitioned?: boolean;
  /**
   * Adds Cache-Control: private to the response that issues the cookie: a shared cache would hand the cookie on, and
   * send all its clients to one server. Default: true.
   */
  readonly nocache?: boolean;
  /** The name of a header whose value binds. Requests without it go by the algorithm. */
  readonly header?: string;
  /** The name of a query parameter whose value binds. Requests without it go by the algorithm. */
  readonly param?: string;
  /**
   * Binds by the address of the client, that of the network (/64) for IPv6. Unlike algorithm: ip_hash it is
   * remembered who served whom.
   */
  readonly client_ip?: true;
  /**
   * By header, param or client_ip: how long after its last answer it is remembered which server a value belongs to. 0
   * remembers nothing: then the value alone decides among the servers that take new requests, every balancer agrees,
   * and one that drains gives its clients away. Default: "30m".
   */
  readonly expire?: DurationSetting;
}

/** Settings such as max_connections: 200. */
export interface PoolSettings {
  /**
   * Unused connections kept; 0 keeps none. As many as requests are in flight at a busy moment, so that the next such
   * moment opens none: each costs a few KiB, and idle_timeout clears away what is too many. Default: 1024.
   */
  readonly max_idle?: number;
  /**
   * How long an unused connection is kept. It is shorter where a server says with Keep-Alive: timeout=, or shows by
   * closing, that it waits less: a second less than that. The default is below the 5s of Node's own servers; only as
   * long as it is not set, a server that says it waits longer is taken at its word, for up to 10 minutes. Default:
   * "4s".
   */
  readonly idle_timeout?: DurationSetting;
  /**
   * Connections open at once, for servers that have no max_connections of their own. Requests beyond that wait in
   * line, up to timeouts.queue. 0 is no limit. Default: 0.
   */
  readonly max_connections?: number;
  /** Requests that may wait in line for a connection. The next one gets 503. Default: 1000. */
  readonly max_waiting?: number;
  /**
   * A connection older than this is closed after its request; the moment varies by a tenth, so that they do not all
   * go at once. 0 is no limit. Default: "1h".
   */
  readonly max_age?: DurationSetting;
  /** A connection that has carried so many requests is closed. 0 is no limit. Default: 0. */
  readonly max_requests?: number;
  /**
   * Requests in flight on one connection. From 2 on, idempotent requests without a body share connections: fewer
   * system calls, but a slow answer delays those behind it, for up to a second. Only for servers that announce the
   * length of every answer correctly. One that sends what nobody asked for is not pipelined to for ten minutes.
   * Default: 1.
   */
  readonly pipelining?: number;
}

/** True, false, or a map such as path: /healthz. */
export interface HealthCheckSettings {
  /** http asks for a path and reads the answer; tcp only connects. Default: "http". */
  readonly type?: 'http' | 'tcp';
  /** Where to ask instead of the server's own address: host:port or unix:/path. */
  readonly address?: string | number;
  /** Another port of the server's host to ask. */
  readonly port?: number;
  /** The method of the request. Default: "GET". */
  readonly method?: string;
  /** What is asked for. A redirect is an answer, and not followed. Default: "/". */
  readonly path?: string;
  /** The Host field of the request. By default the address that is asked. */
  readonly host?: string;
  /** Further fields of the request. User-Agent and Accept replace lb's own. */
  readonly headers?: TextsSettings;
  /** Content of the request, in UTF-8. */
  readonly body?: string;
  /**
   * The status codes of a server that is well: a code, a range, or a list of both. By default 200-399 of a path that
   * was chosen, here or around; of / while none was, any below 500, as many servers have nothing there and are well.
   */
  readonly expect_status?: StatusesSetting;
  /** Fields the answer must have: a value is exact, /regex/i a regular expression, "*" present. */
  readonly expect_header?: ValuesSettings;
  /**
   * What the answer must contain: a text within its first 64 KiB, or a regular expression between slashes, which is
   * run on its first 8 KiB.
   */
  readonly expect_body?: string;
  /** Between the end of one check and the start of the next: two checks of a server never overlap. Default: "5s". */
  readonly interval?: DurationSetting;
  /**
   * The same while a change is in the balance: after a check that speaks against the verdict, until that stands or
   * falls. Never longer than interval. Default: "1s".
   */
  readonly fast_interval?: DurationSetting;
  /** The same while the server is down. By default like interval. */
  readonly down_interval?: DurationSetting;
  /**
   * Share by which an interval is made longer or shorter at random, at most 50%, so that checks of many servers don't
   * fall into step. First checks are spread over a second. Default: "10%".
   */
  readonly jitter?: PercentSetting;
  /** For a whole check, connecting included. Default: "2s". */
  readonly timeout?: DurationSetting;
  /** Checks in a row that must pass before a server that is down is used again. Default: 2. */
  readonly rise?: number;
  /** Checks in a row that must fail before a server is taken out. Default: 3. */
  readonly fall?: number;
  /**
   * What is believed of a server before its first check. unknown: it gets no request yet, and the first check alone
   * decides; down: rise checks have to pass. Default: "up".
   */
  readonly initial?: 'up' | 'down' | 'unknown';
  /**
   * What becomes of requests and tunnels that a server still has when it goes down: they may finish, or are cut (and
   * tried elsewhere where that is safe). Default: "finish".
   */
  readonly on_down?: 'finish' | 'cut';
}

/** True, false, or a map such as path: /healthz. */
export type HealthCheckSetting = HealthCheckSettings | boolean;

/** True, false, or a map such as consecutive_failures: 5. */
export interface PassiveHealthSettings {
  /**
   * Failures in a row that take a server out: connections that are refused or cut, answers that can't be read or
   * don't come in time. One that does not come in time is none while the server answers other requests, or passes its
   * checks and no other server answers either: a long poll waits for longer. A client that goes away is none. 0
   * switches it off. Default: 5.
   */
  readonly consecutive_failures?: number;
  /**
   * Answers in a row that take a server out, with an error_status or not valid HTTP/1.1; counted apart from failures.
   * 0 switches it off. Default: 5.
   */
  readonly consecutive_errors?: number;
  /**
   * The answers that count as errors: a status, a range, or a list of both; false: none. 500 is left out as it is
   * mostly a mistake in one page, which all servers share. Default: "502-504".
   */
  readonly error_status?: number | string | readonly (number | string)[] | false;
  /** How far failure_share looks back. Default: "10s". */
  readonly window?: DurationSetting;
  /**
   * Share of failures and errors among the requests of the window that takes a server out. 0% switches it off.
   * Default: "50%".
   */
  readonly failure_share?: PercentSetting;
  /** With fewer requests in the window, failure_share says nothing. Default: 20. */
  readonly minimum_requests?: number;
  /**
   * How long a server is left out: once as long the first time, twice the second, and so on. Each time as long
   * without trouble takes one off. Default: "30s".
   */
  readonly eject_for?: DurationSetting;
  /** It is never left out longer than this. Default: "5m". */
  readonly max_eject_for?: DurationSetting;
  /**
   * Share of the servers of a list that may be left out at once: one at least, and never the last that can be used.
   * Default: "50%".
   */
  readonly max_ejected?: PercentSetting;
  /**
   * Requests, one at a time, that must go well before a server that comes back gets its whole share. The first that
   * fails takes it out again, for longer. 0: no trial. Default: 3.
   */
  readonly trial_requests?: number;
}

/** True, false, or a map such as consecutive_failures: 5. */
export type PassiveHealthSetting = PassiveHealthSettings | boolean;

/** A host with its settings, such as host: www.mango.com and servers:. */
export interface HostSettings {
  /** A name, a wildcard for all names below one, or a list of both. Case and port do not count. */
  readonly host: string | readonly string[];
  /** The servers that share the work here. */
  readonly servers?: readonly ServerSetting[];
  /**
   * What is done for single paths. Exact wins, then a regular expression, then the longest prefix. A prefix is
   * stripped, unless told otherwise.
   */
  readonly paths?: readonly PathSettings[];
  /** Conditions, in order: the first that matches wins, before paths and servers. */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or a list of them, of what is served here without a condition on the language: routes with match: {
   * language: … } are chosen against it. Places inside have it too. Without it, a client that likes any other
   * language better than theirs gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * The request's header fields as the server sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * The response's header fields as the client sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /** The parameters of the query as the server sees them. The others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** The request's cookies as the server sees them. */
  readonly cookie_rules?: CookieRulesSettings;
  /** The path as the server sees it. Carried out in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Who and what is refused. At the top before routing, for every request; elsewhere for requests that end up there.
   * A request that goes past the guards of a path, while a server may read its path as that one (/;/admin,
   * /x/..;/admin, /%2561dmin), is refused with 403; case counts, as in paths.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Sends the client elsewhere, in place of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers by itself, in place of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client; else its own address. By default false for paths of the file
   * itself, true for all else.
   */
  readonly preserve_host?: boolean;
  /** What differs here from the health_check of the file. It goes with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, in place of the algorithm of the file. It goes with servers. */
  readonly algorithm?: AlgorithmSetting;
  /** How long one of these servers takes to come to its full weight after it was out. It goes with servers. */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client comes back to it while
   * it is there, also while it drains or has weight 0; else another is chosen and named. By header, param or
   * client_ip: requests with a value that is new go to a server as by hash, and stay with it as long as it is
   * remembered that it served them (expire), also while it drains or has weight 0; when it is down another serves
   * them and is remembered in its place. A client that was bound to a backup server while no other could be used goes
   * to the others again as soon as one of them can be. Every balancer remembers for itself, 131,072 values at most,
   * over a reload too; a value that is forgotten goes as by hash, which is most often the same server. false: not
   * here.
   */
  readonly sticky?: StickySettings | false;
  /** What differs here from the passive_health of the file. It goes with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** What differs here from the pool of the file. It goes with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a request is sent to another server in place of one that failed. Never once the client has seen any of an
   * answer; never twice if acting twice is not the same as acting once (POST), unless nothing of it was sent. false:
   * nothing is tried again. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /** Deadlines that differ here from those of the file. 0 switches one off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ here from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** A path with its settings, such as path: /img and servers:. */
export interface PathSettings {
  /**
   * A prefix by whole segments; "= /x" is exact, "~ regex" a regular expression, "~* regex" one without regard to
   * case. It is compared with the normalised, decoded path. Regular expressions are those of JavaScript without
   * lookarounds and backreferences, and take time linear in the text; a request on which all of them together would
   * take too long is answered 431, and 403 by a firewall.
   */
  readonly path: string;
  /**
   * Whether the server gets the path without the prefix: /img/a as /a. By default true for a prefix, false for an
   * exact path; a regular expression has nothing to strip.
   */
  readonly strip_prefix?: boolean;
  /** The servers that share the work here. */
  readonly servers?: readonly ServerSetting[];
  /** Conditions, in order: the first that matches wins, before paths and servers. */
  readonly routes?: readonly RouteSettings[];
  /**
   * The language, or a list of them, of what is served here without a condition on the language: routes with match: {
   * language: … } are chosen against it. Places inside have it too. Without it, a client that likes any other
   * language better than theirs gets what is served here.
   */
  readonly language?: string | readonly string[];
  /**
   * The request's header fields as the server sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * The response's header fields as the client sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /** The parameters of the query as the server sees them. The others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** The request's cookies as the server sees them. */
  readonly cookie_rules?: CookieRulesSettings;
  /** The path as the server sees it. Carried out in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Who and what is refused. At the top before routing, for every request; elsewhere for requests that end up there.
   * A request that goes past the guards of a path, while a server may read its path as that one (/;/admin,
   * /x/..;/admin, /%2561dmin), is refused with 403; case counts, as in paths.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Sends the client elsewhere, in place of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers by itself, in place of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client; else its own address. By default false for paths of the file
   * itself, true for all else.
   */
  readonly preserve_host?: boolean;
  /** What differs here from the health_check of the file. It goes with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, in place of the algorithm of the file. It goes with servers. */
  readonly algorithm?: AlgorithmSetting;
  /** How long one of these servers takes to come to its full weight after it was out. It goes with servers. */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client comes back to it while
   * it is there, also while it drains or has weight 0; else another is chosen and named. By header, param or
   * client_ip: requests with a value that is new go to a server as by hash, and stay with it as long as it is
   * remembered that it served them (expire), also while it drains or has weight 0; when it is down another serves
   * them and is remembered in its place. A client that was bound to a backup server while no other could be used goes
   * to the others again as soon as one of them can be. Every balancer remembers for itself, 131,072 values at most,
   * over a reload too; a value that is forgotten goes as by hash, which is most often the same server. false: not
   * here.
   */
  readonly sticky?: StickySettings | false;
  /** What differs here from the passive_health of the file. It goes with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** What differs here from the pool of the file. It goes with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a request is sent to another server in place of one that failed. Never once the client has seen any of an
   * answer; never twice if acting twice is not the same as acting once (POST), unless nothing of it was sent. false:
   * nothing is tried again. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /** Deadlines that differ here from those of the file. 0 switches one off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ here from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** A route with match: and its settings. */
export interface RouteSettings {
  /** Conditions that must all hold. */
  readonly match: MatchSettings;
  /** The servers that share the work here. */
  readonly servers?: readonly ServerSetting[];
  /**
   * The request's header fields as the server sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that servers read alike (X_User and X.User for X-User), in trailers too.
   */
  readonly header_rules?: HeaderEditsSettings;
  /**
   * The response's header fields as the client sees them. Carried out in the order remove, replace, add, append. A
   * name stands for every spelling of it that may be read alike (X_Served for X-Served), in trailers too.
   */
  readonly response_header_rules?: HeaderEditsSettings;
  /** The parameters of the query as the server sees them. The others keep their order and encoding. */
  readonly param_rules?: ParamRulesSettings;
  /** The request's cookies as the server sees them. */
  readonly cookie_rules?: CookieRulesSettings;
  /** The path as the server sees it. Carried out in the order strip_prefix, replace, add_prefix. */
  readonly rewrite_rules?: RewriteRulesSettings;
  /**
   * Who and what is refused. At the top before routing, for every request; elsewhere for requests that end up there.
   * A request that goes past the guards of a path, while a server may read its path as that one (/;/admin,
   * /x/..;/admin, /%2561dmin), is refused with 403; case counts, as in paths.
   */
  readonly firewall_rules?: FirewallRulesSettings;
  /** Sends the client elsewhere, in place of servers. */
  readonly redirect?: RedirectSettings;
  /** Answers by itself, in place of servers. */
  readonly respond?: RespondSettings;
  /**
   * Whether the server gets the Host of the client; else its own address. By default false for paths of the file
   * itself, true for all else.
   */
  readonly preserve_host?: boolean;
  /** What differs here from the health_check of the file. It goes with servers. */
  readonly health_check?: HealthCheckSetting;
  /** How one of these servers is chosen, in place of the algorithm of the file. It goes with servers. */
  readonly algorithm?: AlgorithmSetting;
  /** How long one of these servers takes to come to its full weight after it was out. It goes with servers. */
  readonly slow_start?: DurationSetting;
  /**
   * Keeps a client with its server. By cookie: the response names the server, and the client comes back to it while
   * it is there, also while it drains or has weight 0; else another is chosen and named. By header, param or
   * client_ip: requests with a value that is new go to a server as by hash, and stay with it as long as it is
   * remembered that it served them (expire), also while it drains or has weight 0; when it is down another serves
   * them and is remembered in its place. A client that was bound to a backup server while no other could be used goes
   * to the others again as soon as one of them can be. Every balancer remembers for itself, 131,072 values at most,
   * over a reload too; a value that is forgotten goes as by hash, which is most often the same server. false: not
   * here.
   */
  readonly sticky?: StickySettings | false;
  /** What differs here from the passive_health of the file. It goes with servers. */
  readonly passive_health?: PassiveHealthSetting;
  /** What differs here from the pool of the file. It goes with servers. */
  readonly pool?: PoolSettings;
  /**
   * When a request is sent to another server in place of one that failed. Never once the client has seen any of an
   * answer; never twice if acting twice is not the same as acting once (POST), unless nothing of it was sent. false:
   * nothing is tried again. Default: true.
   */
  readonly retry?: RetrySettings | boolean;
  /** Deadlines that differ here from those of the file. 0 switches one off. */
  readonly timeouts?: RouteTimeoutsSettings;
  /** Limits that differ here from those of the file. */
  readonly limits?: RouteLimitsSettings;
}

/** Conditions that must all hold. */
export interface MatchSettings {
  /** A prefix by whole segments, "= /exact", "~ regex" or "~* regex". */
  readonly path?: string;
  /** One method, or a list of which any will do. */
  readonly method?: MethodsSetting;
  /** Header fields: a value is exact, /regex/i a regular expression, "*" present. */
  readonly header?: ValuesSettings;
  /** Parameters of the query: a value is exact, /regex/i a regular expression, "*" present. */
  readonly param?: ValuesSettings;
  /** Cookies: a value is exact, /regex/i a regular expression, "*" present. */
  readonly cookie?: ValuesSettings;
  /**
   * A language, or a list of which any will do, that fits Accept-Language best among the languages of the sibling
   * routes, and of what is served here without a condition (language: beside routes:). Where that is not said, it
   * counts as speaking every language that no sibling names: a client that prefers one of those gets it.
   */
  readonly language?: string | readonly string[];
  /** An address or CIDR, or a list of these, in which the client is. */
  readonly client_ip?: ClientIpsSetting;
  /** An address or CIDR, or a list of these, in which the other end of the connection is, be it a proxy. */
  readonly peer_ip?: ClientIpsSetting;
  /**
   * What the client spoke, as a trusted proxy in front tells in X-Forwarded-Proto or Forwarded: http or https, or a
   * list of both. From anyone else it is http.
   */
  readonly scheme?: SchemesSetting;
  /** Conditions that must not all hold. */
  readonly not?: InnerMatchSettings;
  /** A list of conditions, of which one entry at least must hold. */
  readonly any?: readonly InnerMatchSettings[];
}

/** Conditions that must all hold; a language is not among them, as it is decided between sibling routes. */
export interface InnerMatchSettings {
  /** A prefix by whole segments, "= /exact", "~ regex" or "~* regex". */
  readonly path?: string;
  /** One method, or a list of which any will do. */
  readonly method?: MethodsSetting;
  /** Header fields: a value is exact, /regex/i a regular expression, "*" present. */
  readonly header?: ValuesSettings;
  /** Parameters of the query: a value is exact, /regex/i a regular expression, "*" present. */
  readonly param?: ValuesSettings;
  /** Cookies: a value is exact, /regex/i a regular expression, "*" present. */
  readonly cookie?: ValuesSettings;
  /** An address or CIDR, or a list of these, in which the client is. */
  readonly client_ip?: ClientIpsSetting;
  /** An address or CIDR, or a list of these, in which the other end of the connection is, be it a proxy. */
  readonly peer_ip?: ClientIpsSetting;
  /**
   * What the client spoke, as a trusted proxy in front tells in X-Forwarded-Proto or Forwarded: http or https, or a
   * list of both. From anyone else it is http.
   */
  readonly scheme?: SchemesSetting;
  /** Conditions that must not all hold. */
  readonly not?: InnerMatchSettings;
  /** A list of conditions, of which one entry at least must hold. */
  readonly any?: readonly InnerMatchSettings[];
}

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

/** A map with add, append, remove or replace. */
export interface HeaderEditsSettings {
  /**
   * Sets a field, or replaces it. Templates such as {client_ip} are filled in; {attempt} is 1, and one more for each
   * retry.
   */
  readonly add?: TextsSettings;
  /** Adds one more field, whatever is there. */
  readonly append?: TextsSettings;
  /**
   * Removes a field: a list of names, or a map whose values are ignored. Removing Host sends the server's own
   * address.
   */
  readonly remove?: NamesSetting;
  /**
   * Edits the values of a field: a key is a text, or a regular expression between slashes, and $1 a capture of it.
   */
  readonly replace?: Readonly<Record<string, ReplacementsSettings>>;
}

/** The parameters of the query as the server sees them. The others keep their order and encoding. */
export interface ParamRulesSettings {
  /** Sets a parameter, or replaces it. Templates such as {client_ip} are filled in. */
  readonly add?: TextsSettings;
  /** Removes a parameter: a list of names, or a map whose values are ignored. */
  readonly remove?: NamesSetting;
}

/** The request's cookies as the server sees them. */
export interface CookieRulesSettings {
  /** Sets a cookie, or replaces it. Templates such as {client_ip} are filled in. */
  readonly add?: TextsSettings;
  /** Removes a cookie: a list of names, or a map whose values are ignored. */
  readonly remove?: NamesSetting;
}

/** The path as the server sees it. Carried out in the order strip_prefix, replace, add_prefix. */
export interface RewriteRulesSettings {
  /** Takes these segments away from the front, where they are. */
  readonly strip_prefix?: string;
  /** Replaces whole segments; a key between slashes is a regular expression over the path, and $1 a capture of it. */
  readonly replace?: ReplacementsSettings;
  /** Puts these segments in front. */
  readonly add_prefix?: string;
}

/**
 * Who and what is refused. At the top before routing, for every request; elsewhere for requests that end up there. A
 * request that goes past the guards of a path, while a server may read its path as that one (/;/admin, /x/..;/admin,
 * /%2561dmin), is refused with 403; case counts, as in paths.
 */
export interface FirewallRulesSettings {
  /** Addresses and CIDRs that are refused; { file: PATH } takes them from a file, one a line. Default: []. */
  readonly ip_reject?: NetworksSetting;
  /** When given, everyone else is refused. An empty list is as if it were not given. Default: []. */
  readonly ip_allow?: NetworksSetting;
  /**
   * Paths that are refused: a prefix by whole segments, "= /exact", "~ regex" or "~* regex", compared with the
   * normalised, decoded path. Default: [].
   */
  readonly path_reject?: string | readonly string[];
  /** Methods that are refused. */
  readonly method_reject?: MethodsSetting;
  /**
   * Header fields that are refused, in every spelling that servers read alike (X_User and X.User for X-User): a value
   * is exact, /regex/i a regular expression, "*" present.
   */
  readonly header_reject?: ValuesSettings;
  /** How many requests a client may send. */
  readonly rate_limit?: RateLimitSettings;
  /**
   * At the top: connections of one client address at once, closed at accept. Elsewhere: its requests in flight, more
   * of them are answered 429 with Retry-After. 0 is no limit. Default: 0.
   */
  readonly max_connections_per_ip?: number;
  /** Refuses a client for a while when it earned too many responses of a kind. */
  readonly ban?: BanSettings;
  /** observe counts and logs what would have been refused, and lets it through. Default: "enforce". */
  readonly mode?: 'enforce' | 'observe';
}

/** An address or CIDR such as 10.0.0.0/8, or a list of these. */
export type NetworksSetting = string | readonly NetworkSetting[];

/** An address or CIDR such as 10.0.0.0/8, or file: with a path. */
export interface NetworkSettings {
  /** A regular file of 256mb at most with an address or CIDR a line; what follows a # is a comment. */
  readonly file: string;
}

/** An address or CIDR such as 10.0.0.0/8, or file: with a path. */
export type NetworkSetting = string | NetworkSettings;

/** A map such as requests: 100. */
export interface RateLimitSettings {
  /** Requests in each period. */
  readonly requests: number;
  /** The period. Default: "1s". */
  readonly per?: DurationSetting;
  /** Requests that may come at once. By default those of a whole period. */
  readonly burst?: number;
  /**
   * What makes a client: client_ip, header.NAME or cookie.NAME. IPv6 clients are one per /64. Default: "client_ip".
   */
  readonly key?: string;
  /** What is answered beyond it. Default: 429. */
  readonly status?: number;
}

/** A map such as status: [401, 404]. */
export interface BanSettings {
  /** The responses that count: a status, a range, or a list of both. */
  readonly status: StatusesSetting;
  /** How many of them it takes. */
  readonly count: number;
  /** In which time. Default: "60s". */
  readonly within?: DurationSetting;
  /** How long the client is refused. Default: "10m". */
  readonly for?: DurationSetting;
}

/** A status such as 200, a range such as 200-399, or a list of these. */
export type StatusesSetting = number | string | readonly (number | string)[];

/** Sends the client elsewhere, in place of servers. */
export interface RedirectSettings {
  /**
   * A URL, or a path of the same host. Templates such as {path} and {query} are filled in, percent-encoded. No value
   * of a request changes the host that stands here: a redirect that begins with a value stays on the host that was
   * asked, and a value after a host is its path.
   */
  readonly to: string;
  /** 301 and 308 are for ever, 302 and 307 for now; 307 and 308 keep the method, 303 makes it GET. Default: 302. */
  readonly status?: number;
}

/** Answers by itself, in place of servers. */
export interface RespondSettings {
  /** The status code. Default: 200. */
  readonly status?: number;
  /** The body, as it is. Default: "". */
  readonly body?: string;
  /** Header fields. Without Content-Type the body is text/plain. Templates such as {request_id} are filled in. */
  readonly headers?: TextsSettings;
}

/**
 * When a request is sent to another server in place of one that failed. Never once the client has seen any of an
 * answer; never twice if acting twice is not the same as acting once (POST), unless nothing of it was sent. false:
 * nothing is tried again.
 */
export interface RetrySettings {
  /**
   * Attempts behind the first: with 2 a request reaches three servers at most. Always another server, and the same
   * one again, after a moment, only when there is no other. Replacing a stale connection is no attempt. Default: 2.
   */
  readonly attempts?: number;
  /**
   * What is tried again. connect: no connection to the server was to be had. stale: a connection that had been open
   * before was closed as the request was sent; the server gets it again on a fresh one. reset: any other was closed
   * before the head of its answer was whole. timeout: no answer within timeouts.response_header. A status or range of
   * them: such an answer, as long as there are attempts left. All but connect only for GET, HEAD, OPTIONS, TRACE, PUT
   * and DELETE whose body is still at hand. Default: ["connect","stale","reset"].
   */
  readonly on?: readonly (string | number)[];
  /**
   * How many requests may be sent again, as a share of those of the last 10 seconds, beside 3 per second in any case:
   * servers that fail are not buried under retries. Beyond it the failure is passed on, with the reason retry_budget
   * in the log. Attempts that found no connection do not count. false: no limit. Default: "20%".
   */
  readonly budget?: string | boolean;
  /**
   * How much of a request body is kept while it is sent. A longer one is not tried again once its bytes went out.
   * Default: "64kb".
   */
  readonly buffer?: SizeSetting;
  /**
   * Whether a request with an Idempotency-Key field is tried again whatever its method. Only for servers that really
   * do tell by it that they have acted already. Default: false.
   */
  readonly idempotency_key?: boolean;
}

/** Deadlines that differ here from those of the file. 0 switches one off. */
export interface RouteTimeoutsSettings {
  /** Without a byte of the request body while the client owes one. Then 408. Default: "30s". */
  readonly request_body?: DurationSetting;
  /** Opening a connection to a server. Then another server is tried, else 504. Default: "3s". */
  readonly connect?: DurationSetting;
  /** Waiting for a free connection to a server that is full. Then 503. Default: "5s". */
  readonly queue?: DurationSetting;
  /**
   * From the request sent to the end of the response head. Then 504. Long polls and slow reports may need more: give
   * their path timeouts of its own. Default: "60s".
   */
  readonly response_header?: DurationSetting;
  /**
   * Without a byte of the response body, or with a client that takes none of it. Then the connection is cut. Default:
   * "60s".
   */
  readonly response_body?: DurationSetting;
  /**
   * A request as a whole, from the end of its head to the end of its answer: its body, waiting in line and every
   * retry included; response_header is for a single attempt. Then 504, or the connection is cut if the answer has
   * begun. A tunnel has no such end. Default: 0.
   */
  readonly total?: DurationSetting;
  /** An upgraded connection (WebSocket) without a byte either way. Then it is closed. Default: "1h". */
  readonly tunnel?: DurationSetting;
}

/** Limits that differ here from those of the file. */
export interface RouteLimitsSettings {
  /** Size of a request body; 0 is no limit. Then 413. Default: 0. */
  readonly body_bytes?: SizeSetting;
  /**
   * What a client has to send of a request body in a second, on average and from its tenth second on; 0 is as slow as
   * it likes, as long as timeouts.request_body allows. Time that the server takes does not count. Then 408. Default:
   * 0.
   */
  readonly body_rate?: SizeSetting;
}

/** What must become of it; what is not named is not asked. */
export interface ExpectSettings {
  /** The name of the route, as lb explain shows it. */
  readonly route?: string;
  /**
   * Whether the connection is closed at accept, as the addresses of the firewall_rules of the file want it: such a
   * client is not answered at all.
   */
  readonly closed?: boolean;
  /** Of a redirect, a fixed reply or a refusal. */
  readonly status?: number;
  /** The path the server gets. */
  readonly path?: string;
  /** The query the server gets, without the question mark. */
  readonly query?: string;
  /** Where a redirect leads. */
  readonly location?: string;
  /** Header fields the server gets: a value is exact, /regex/i a regular expression, "*" present. */
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
  /** What must become of it; what is not named is not asked. */
  readonly expect: ExpectSettings;
}
