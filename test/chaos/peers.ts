import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { find, version } from '../bench/machine.js';
import { nginxCommand } from '../bench/nginx.js';

/** A balancer to be put through it: the command that runs it in the foreground before three servers. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  command(port: number, origins: readonly number[], folder: string): readonly string[];
}

export const PEERS = ['lb', 'nginx', 'haproxy'];

/**
 * The peer of a name, or why there is none. All of them get 1 s to connect and 2 s for an answer, try another server
 * when a request can be repeated, and look at each server every second where they can (nginx looks at live requests
 * only). What each has against servers that misbehave is on, as its manual recommends. lb serves clients in `workers` threads,
 * the others in one.
 */
export function findPeer(name: string, workers: number): Peer | string {
  if (name === 'lb')
    return {
      name,
      version: `on Node ${process.versions.node}${workers > 1 ? `, ${workers} threads` : ''}`,
      command: (port, origins, folder) => lbCommand(port, origins, folder, workers),
    };
  if (!PEERS.includes(name)) return `${name} left out: not one of ${PEERS.join(', ')}`;
  const program = find(name);
  if (program === undefined) return `${name} left out: it is not installed`;
  return {
    name,
    version: version(name) ?? '',
    command: (port, origins, folder) =>
      name === 'nginx'
        ? nginxCommand(program, folder, nginxSettings(port, origins))
        : haproxyCommand(program, port, origins, folder),
  };
}

function lbCommand(
  port: number,
  origins: readonly number[],
  folder: string,
  workers: number,
): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'loadbalancer.yaml');
  writeFileSync(
    file,
    `servers: [${origins.map((origin) => `"127.0.0.1:${origin}"`).join(', ')}]
health_check: { interval: 1s, timeout: 1s, rise: 2, fall: 2 }
timeouts: { connect: 1s, response_header: 2s, response_body: 2s }
retry: { attempts: 2, on: [connect, stale, reset, timeout] }
`,
  );
  const launcher = fileURLToPath(new URL('../../../bin/lb.js', import.meta.url));
  if (!existsSync(launcher)) throw new Error(`${launcher} does not exist`);
  const options = ['-c', file, '--workers', String(workers), '--access-log', 'off', '-q'];
  return [process.execPath, launcher, String(port), ...options];
}

function nginxSettings(port: number, origins: readonly number[]): string {
  return `
  proxy_http_version 1.1;
  proxy_connect_timeout 1s;
  proxy_send_timeout 2s;
  proxy_read_timeout 2s;
  proxy_next_upstream error timeout invalid_header;
  proxy_next_upstream_tries 3;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  upstream origins {
    ${origins.map((origin) => `server 127.0.0.1:${origin} max_fails=2 fail_timeout=10s;`).join('\n    ')}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://origins; }
  }`;
}

/** `disable-l7-retry`: a POST that was sent is not sent again, as with the others. */
function haproxyCommand(
  program: string,
  port: number,
  origins: readonly number[],
  folder: string,
): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'haproxy.cfg');
  const watch = 'check inter 1s fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down';
  const servers = origins.map((origin, index) => `  server s${index} 127.0.0.1:${origin} ${watch}`);
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 1000
defaults
  mode http
  option http-keep-alive
  http-reuse safe
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response response-timeout
  timeout http-request 10s
  timeout http-keep-alive 65s
  timeout client 65s
  timeout connect 1s
  timeout check 1s
  timeout server 2s
  timeout queue 5s
listen balancer
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk GET /
  http-request disable-l7-retry if METH_POST
${servers.join('\n')}
`,
  );
  return [program, '-db', '-f', file];
}
