import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorLimit } from './machine.js';

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
): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'haproxy.cfg');
  // HAProxy refuses to start without descriptors for each client, its connection to an origin, and all pipes.
  const connections = Math.floor((descriptorLimit() - 2 * PIPES - 500) / 2.1);
  const servers = origins.map((origin, index) => `  server s${index} 127.0.0.1:${origin} check inter 5s`);
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
  bind 127.0.0.1:${port} backlog 4096
  balance roundrobin
  option httpchk GET /
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[uuid()]
  http-request set-header Via "1.1 haproxy"
${servers.join('\n')}
`,
  );
  return [haproxy, '-db', '-f', file];
}
