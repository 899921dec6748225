import type { Schema } from './schema.js';

/** What other programs, or other habits, call a setting: the word, and what it may be called here. */
const OTHER_NAMES: { readonly [word: string]: readonly string[] } = {
  address: ['listen'],
  api: ['admin'],
  backend: ['servers'],
  backends: ['servers'],
  balance: ['algorithm'],
  bind: ['listen'],
  certificate: ['tls'],
  certificates: ['tls'],
  cpus: ['workers'],
  dashboard: ['admin'],
  domain: ['host', 'hosts'],
  domains: ['host', 'hosts'],
  endpoints: ['servers'],
  frontend: ['listen'],
  headers: ['header_rules'],
  https: ['tls'],
  lb_policy: ['algorithm'],
  limit_req: ['rate_limit', 'firewall_rules'],
  location: ['path', 'paths'],
  locations: ['paths'],
  log: ['access_log'],
  logging: ['access_log'],
  logs: ['access_log'],
  members: ['servers'],
  nbthread: ['workers'],
  nodes: ['servers'],
  persistence: ['sticky'],
  policy: ['algorithm'],
  port: ['listen'],
  prefix: ['path'],
  probe: ['health_check'],
  proxy_pass: ['servers'],
  real_ip: ['trusted_proxies'],
  request_headers: ['header_rules'],
  response_headers: ['response_header_rules'],
  retries: ['attempts', 'retry'],
  rewrite: ['rewrite_rules'],
  rules: ['routes'],
  server_name: ['host', 'hosts'],
  session: ['sticky'],
  ssl: ['tls'],
  stats: ['admin'],
  stick_table: ['sticky'],
  stickiness: ['sticky'],
  strategy: ['algorithm'],
  targets: ['servers'],
  threads: ['workers'],
  trust_proxy: ['trusted_proxies'],
  upstream: ['servers'],
  upstreams: ['servers'],
  vhosts: ['hosts'],
  virtual_hosts: ['hosts'],
  worker_processes: ['workers'],
};

/** The same for values that are words. */
const OTHER_VALUES: { readonly [word: string]: string } = {
  agent: 'user_agent',
  apache: 'combined',
  backend: 'server',
  bytes: 'bytes_out',
  client_ip: 'client',
  code: 'status',
  common: 'combined',
  duration: 'duration_ms',
  elapsed: 'duration_ms',
  ip: 'client',
  latency: 'duration_ms',
  least_conn: 'least_connections',
  leastconn: 'least_connections',
  p2c: 'power_of_two',
  path: 'target',
  remote_addr: 'client',
  request_time: 'duration_ms',
  rr: 'round_robin',
  size: 'bytes_out',
  source: 'ip_hash',
  status_code: 'status',
  time: 'ts',
  timestamp: 'ts',
  two_random_choices: 'power_of_two',
  upstream: 'server',
  uri: 'target',
  url: 'target',
};

/** What an unknown word may be called here, among the words that are allowed; undefined if it is none of these. */
export function otherValue(word: string, allowed: readonly string[]): string | undefined {
  const known = word.toLowerCase().replaceAll('-', '_');
  const name = Object.hasOwn(OTHER_VALUES, known) ? OTHER_VALUES[known] : undefined;
  return name !== undefined && allowed.includes(name) ? name : undefined;
}

/** What an unknown key may be called here, among the keys that are known where it stands; undefined if it is none of these. */
export function otherName(key: string, known: Readonly<Record<string, Schema>>): string | undefined {
  const word = key.toLowerCase().replaceAll('-', '_');
  const names = Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : undefined;
  return names?.find((name) => Object.hasOwn(known, name));
}
