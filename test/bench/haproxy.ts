import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateFiles } from './certificate.js';
import { descriptorLimit } from './machine.js';
import { networks, placesOf, type Setup, serversOf } from './setup.js';

const PIPES = 500;

/**
 * Writes the peer's configuration into `folder` and gives the command that runs it: one thread, round robin over
 * pooled connections, an active check and the fields lb sends. `splice`: bodies go from socket to socket inside the
 * kernel where it pays, which is a third of the cost for large ones.
 */
export function haproxyCommand(
  haproxy: string,
  folder: string,
  port: number,
  origins: readonly number[],
  splice: boolean,
  setup: Setup,
): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'haproxy.cfg');
  // HAProxy refuses to start without descriptors for each client, its connection to an origin, and all pipes.
  const connections = Math.floor((descriptorLimit() - 2 * PIPES - 500) / 2.1);
  const servers = serversOf(setup, origins).map(
    (address, index) => `  server s${index} ${address} check inter 5s`,
  );
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn ${connections}
  maxpipes ${PIPES}
defaults
  mode http
  maxconn ${connections}
  option http-keep-alive
${splice ? '  option splice-request\n  option splice-response\n' : ''}  http-reuse always
  retries 2
  option redispatch
  timeout http-request 10s
  timeout http-keep-alive 65s
  timeout client 65s
  timeout connect 3s
  timeout server 30s
  timeout queue 5s
listen balancer
  bind 127.0.0.1:${port} backlog 4096${setup === 'tls' ? ` ssl crt ${certificateFiles(folder).both} ssl-min-ver TLSv1.3` : ''}
  balance roundrobin
  option httpchk GET /
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto ${setup === 'tls' ? 'https' : 'http'}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[uuid()]
  http-request set-header Via "1.1 haproxy"
${setupRules(setup, folder)}${servers.join('\n')}
`,
  );
  if (setup !== 'everything') return [haproxy, '-db', '-f', file];
  // It has no log files: what it writes to stdout goes into one.
  return ['sh', '-c', 'exec "$@" >"$0"', join(folder, 'access.log'), haproxy, '-db', '-f', file];
}

function setupRules(setup: Setup, folder: string): string {
  if (setup === 'plain' || setup === 'servers-1k' || setup === 'tls') return '';
  return setup === 'everything' ? everything(folder) : hosts(setup, folder);
}

function everything(folder: string): string {
  const file = join(folder, 'blocked.lst');
  writeFileSync(file, networks().join('\n'));
  return `  http-request deny if { src -f ${file} }
  stick-table type ip size 100k expire 10s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }
  http-request set-header MyCustomHeader Test
  http-request set-header X-Client %[src]
  http-request del-header DNT
  http-request set-query %[query,regsub(RemoveMe=[^&]*&?,)]&MyCustomParam=Test
  http-response set-header X-Served-By bench
  http-response del-header X-Powered-By
  http-request set-var(txn.target) pathq
  http-request set-var(txn.host) req.hdr(host)
  http-request set-var(txn.agent) req.hdr(user-agent)
  http-request set-var(txn.id) req.hdr(x-request-id)
  log stdout format raw local0
  log-format '${LOG_LINE}'
`;
}

/** What lb's line has. */
const LOG_LINE =
  '{"ts":"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]","request_id":"%[var(txn.id),json]","client":"%ci",' +
  '"method":"%HM","target":"%[var(txn.target),json]","host":"%[var(txn.host),json]","protocol":"%HV",' +
  '"status":%ST,"server":"%s","retries":"%rc","duration_ms":%Ta,"connect_ms":%Tc,"first_byte_ms":%Tr,' +
  '"bytes_in":%U,"bytes_out":%B,"user_agent":"%[var(txn.agent),json]"}';

function hosts(setup: Setup, folder: string): string {
  const places = placesOf(setup);
  const [hostMap, pathMap] = ['hosts.map', 'paths.map'].map((name) => join(folder, name)) as [string, string];
  writeFileSync(hostMap, places.hosts.map((host) => `${host} known\n`).join(''));
  writeFileSync(pathMap, places.paths.map((path) => `${path}/ known\n`).join(''));
  const last = places.hosts.at(-1);
  return `  http-request set-var(txn.known) req.hdr(host),field(1,:),lower,map_str(${hostMap},other)
  http-request set-header X-Known other if { var(txn.known) -m str other }
  http-request replace-path /[^/]+(/.*) \\1 if { req.hdr(host) -m str ${last} } { path,map_beg(${pathMap}) -m found }
`;
}
