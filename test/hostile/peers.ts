import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { find, version } from '../bench/machine.js';
import { nginxCommand } from '../bench/nginx.js';
import { HOSTS, patternPaths } from './attacks.js';

/** The servers behind a balancer. */
export interface Origins {
  /** Who answer small requests. */
  readonly ports: readonly number[];
  /** Who sends and takes tiny chunks. */
  readonly chunks: number;
}

/** A balancer to be attacked: the command that runs it in the foreground. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly isLb: boolean;
  command(port: number, origins: Origins, folder: string): readonly string[];
}

export const PEERS = ['lb', 'nginx', 'haproxy'];

/**
 * The peer of a name, or why there is none. All of them serve 127.0.0.1, know the same hosts that they answer
 * themselves, and write a line for each request into a file. `NAME=PATH/bin/lb.js` is another build of lb.
 */
export function findPeer(spec: string): Peer | string {
  const [name = '', path] = spec.split('=', 2);
  if (name === 'lb' || path !== undefined) {
    const launcher =
      path === undefined ? fileURLToPath(new URL('../../../bin/lb.js', import.meta.url)) : resolve(path);
    if (!existsSync(launcher)) return `${name} left out: ${launcher} does not exist`;
    return {
      name,
      version: `on Node ${process.versions.node}`,
      isLb: true,
      command: (port, origins, folder) => lbCommand(launcher, port, origins, folder),
    };
  }
  if (!PEERS.includes(name)) return `${name} left out: not one of ${PEERS.join(', ')}`;
  const program = find(name);
  if (program === undefined) return `${name} left out: it is not installed`;
  return {
    name,
    version: version(name) ?? '',
    isLb: false,
    command: (port, origins, folder) =>
      name === 'nginx'
        ? nginxCommand(program, folder, nginxSettings(port, origins, folder))
        : haproxyCommand(program, port, origins, folder),
  };
}

function lbCommand(launcher: string, port: number, origins: Origins, folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'loadbalancer.json');
  const servers = origins.ports.map((origin) => `127.0.0.1:${origin}`);
  const settings = {
    readiness_path: '/ready',
    hosts: [
      { host: '127.0.0.1', servers },
      { host: HOSTS.forbidden, servers, firewall_rules: { path_reject: ['/'] } },
      { host: HOSTS.limited, servers, firewall_rules: { rate_limit: { requests: 1, per: '1m' } } },
      { host: HOSTS.moved, redirect: { to: 'https://moved.test/' } },
      { host: HOSTS.fixed, respond: { status: 200, body: 'ok\n' } },
      { host: HOSTS.chunks, servers: [`127.0.0.1:${origins.chunks}`] },
      { host: HOSTS.patterns, respond: { status: 200, body: 'ok\n' }, paths: patternPaths() },
    ],
  };
  writeFileSync(file, JSON.stringify(settings));
  const log = ['--access-log', 'json', '--access-log-file', join(folder, 'access.log')];
  return [process.execPath, launcher, String(port), '-c', file, ...log, '-q'];
}

/** Uploads are passed on as they come, as with the others. */
function nginxSettings(port: number, origins: Origins, folder: string): string {
  const listen = `listen 127.0.0.1:${port}`;
  return `
  access_log ${join(folder, 'access.log')} combined buffer=64k flush=1s;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_request_buffering off;
  limit_req_zone $binary_remote_addr zone=clients:1m rate=1r/m;
  limit_req_status 429;
  upstream origins {
    ${origins.ports.map((origin) => `server 127.0.0.1:${origin};`).join('\n    ')}
    keepalive 64;
  }
  upstream chunks {
    server 127.0.0.1:${origins.chunks};
    keepalive 64;
  }
  server { ${listen} default_server backlog=4096; return 404; }
  server {
    ${listen};
    server_name 127.0.0.1;
    location / { proxy_pass http://origins; }
    location = /ready { return 200 "ready\\n"; }
  }
  server { ${listen}; server_name ${HOSTS.forbidden}; location / { deny all; } }
  server { ${listen}; server_name ${HOSTS.limited}; location / { limit_req zone=clients; proxy_pass http://origins; } }
  server { ${listen}; server_name ${HOSTS.moved}; return 302 https://moved.test/; }
  server { ${listen}; server_name ${HOSTS.fixed}; return 200 "ok\\n"; }
  server { ${listen}; server_name ${HOSTS.chunks}; location / { proxy_pass http://chunks; } }`;
}

/** It has no log files: what it writes to stdout goes into one. */
function haproxyCommand(program: string, port: number, origins: Origins, folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'haproxy.cfg');
  const servers = origins.ports.map((origin, index) => `  server s${index} 127.0.0.1:${origin} check`);
  const is = (host: string): string => `{ req.hdr(host),field(1,:) -m str ${host} }`;
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 3000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout http-request 10s
  timeout http-keep-alive 65s
  timeout client 65s
  timeout connect 3s
  timeout server 65s
frontend clients
  bind 127.0.0.1:${port} backlog 4096
  http-request return status 200 content-type text/plain string ready if { path /ready }
  http-request return status 403 if ${is(HOSTS.forbidden)}
  http-request track-sc0 src table limits if ${is(HOSTS.limited)}
  http-request return status 429 if ${is(HOSTS.limited)} { sc_http_req_rate(0,limits) gt 1 }
  http-request redirect location https://moved.test/ if ${is(HOSTS.moved)}
  http-request return status 200 content-type text/plain string ok if ${is(HOSTS.fixed)}
  use_backend chunks if ${is(HOSTS.chunks)}
  use_backend origins if ${is('127.0.0.1')} or ${is(HOSTS.limited)}
  http-request return status 404 unless ${is('127.0.0.1')} or ${is(HOSTS.limited)} or ${is(HOSTS.chunks)}
backend limits
  stick-table type ip size 1k expire 1m store http_req_rate(1m)
backend origins
  option httpchk GET /
${servers.join('\n')}
backend chunks
  server c 127.0.0.1:${origins.chunks}
`,
  );
  return ['sh', '-c', 'exec "$@" >"$0"', join(folder, 'access.log'), program, '-db', '-f', file];
}
