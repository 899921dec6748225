import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { certificateFiles } from './certificate.js';
import { descriptorLimit } from './machine.js';
import { MANY_ADDRESSES, networks, placesOf, type Setup, serversOf } from './setup.js';

const BIG_BUFFERS = `
  proxy_buffers 16 64k;
  proxy_buffer_size 64k;
  proxy_busy_buffers_size 256k;`;

/** Writes the configuration into `folder`, beside all that nginx may write, and gives the command that runs it. */
export function nginxCommand(nginx: string, folder: string, http: string): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, http));
  return [nginx, '-e', 'stderr', '-p', folder, '-c', file];
}

/**
 * The peer: round robin over pooled connections, with the fields lb sends, and none of its buffers on disk.
 * `bigBuffers`: 16 of 64 KiB per response instead of 8 of 4 KiB, which is a third of the cost for large bodies.
 */
export function nginxBalancer(
  port: number,
  origins: readonly number[],
  bigBuffers: boolean,
  folder: string,
  setup: Setup,
): string {
  mkdirSync(folder, { recursive: true });
  return `${bigBuffers ? BIG_BUFFERS : ''}
  proxy_http_version 1.1;
  proxy_max_temp_file_size 0;
  proxy_connect_timeout 3s;
  proxy_read_timeout 30s;
  proxy_next_upstream error timeout;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header Via "1.1 nginx";
  keepalive_timeout 65s;
  upstream origins {
    ${serversOf(setup, origins)
      .map((address) => `server ${address};`)
      .join('\n    ')}
    keepalive 1024;
    keepalive_requests 1000000000;
  }
${setup === 'everything' ? everythingSettings(folder) : ''}
  server {
    listen 127.0.0.1:${port} ${setup === 'tls' ? 'ssl ' : ''}backlog=4096;${setup === 'tls' ? tlsSettings(folder) : ''}
    location / { ${setup === 'everything' ? EVERYTHING : ''} proxy_pass http://origins; }
  }${hostServers(port, setup)}`;
}

/** Sets `$args` as the rules want them; an `if` is all nginx has for it. */
const EVERYTHING = `
      if ($blocked) { return 403; }
      if ($args ~ "^(.*)RemoveMe=[^&]*&?(.*)$") { set $args "$1$2"; }
      set $args "$args&MyCustomParam=Test";
      limit_req zone=clients burst=1000000 nodelay;
      proxy_hide_header X-Powered-By;
      add_header X-Served-By bench;`;

function tlsSettings(folder: string): string {
  const { cert, key } = certificateFiles(folder);
  return `
    ssl_protocols TLSv1.3;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};`;
}

function everythingSettings(folder: string): string {
  const file = join(folder, 'blocked.conf');
  writeFileSync(
    file,
    networks()
      .map((network) => `${network} 1;`)
      .join('\n'),
  );
  const line = Object.entries(LOG_FIELDS).map(([name, value]) => `"${name}":"$${value}"`);
  return `
  geo $blocked { default 0; include ${file}; }
  limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  proxy_set_header MyCustomHeader Test;
  proxy_set_header X-Client $remote_addr;
  proxy_set_header DNT "";
  log_format json escape=json '{${line.join(',')}}';
  access_log ${join(folder, 'access.log')} json buffer=64k flush=1s;`;
}

/** What lb's line has. */
const LOG_FIELDS = {
  ts: 'time_iso8601',
  request_id: 'request_id',
  client: 'remote_addr',
  method: 'request_method',
  target: 'request_uri',
  host: 'http_host',
  protocol: 'server_protocol',
  status: 'status',
  server: 'upstream_addr',
  duration_ms: 'request_time',
  connect_ms: 'upstream_connect_time',
  first_byte_ms: 'upstream_header_time',
  bytes_in: 'request_length',
  bytes_out: 'body_bytes_sent',
  user_agent: 'http_user_agent',
};

function hostServers(port: number, setup: Setup): string {
  const { hosts, paths } = placesOf(setup);
  if (hosts.length === 0) return '';
  const last = hosts.length - 1;
  const places = paths.map((path) => `location ${path}/ { proxy_pass http://origins/; }`).join('\n    ');
  const servers = hosts.map(
    (host, index) => `
  server {
    listen 127.0.0.1:${port};
    server_name ${host};
    location / { proxy_pass http://origins; }
    ${index === last ? places : ''}
  }`,
  );
  return `
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;${servers.join('')}`;
}

/** The origin: files from `folder`, and replies it makes itself; `/fields` shows what it was sent. */
export function nginxOrigin(
  folder: string,
  ports: readonly number[],
  small: string,
  fields: readonly string[],
): string {
  const variables = fields.map((name) => `$http_${name.toLowerCase().replaceAll('-', '_')}`);
  return `
  root ${folder};
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_timeout 10m;
  server {
    ${['127.0.0.1', ...MANY_ADDRESSES].flatMap((host) => ports.map((port) => `listen ${host}:${port} backlog=4096;`)).join('\n    ')}
    location = / { return 200 "ok\\n"; }
    location = /small { return 200 "${small}"; }
    location = /sink { return 200 "ok\\n"; }
    location = /rules { return 200 "$http_mycustomheader $http_x_client -$http_dnt $args\n"; }
    location = /fields { return 200 "$server_port\\n${variables.join('\\n')}\\n"; }
  }`;
}

function configuration(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `${process.getuid?.() === 0 ? `user ${userInfo().username};\n` : ''}daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
worker_processes 1;
worker_rlimit_nofile ${descriptorLimit()};
events { worker_connections ${descriptorLimit() - 200}; }
http {
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  client_max_body_size 0;${http}
}
`;
}
