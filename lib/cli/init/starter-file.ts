import { flowYaml } from '../../config/reference.js';
import type { AlgorithmName } from '../../config/types.js';

/** The answers that a first settings file is made from. */
export interface StarterAnswers {
  /** A port, or any other value of `listen`. */
  readonly listen: string;
  readonly servers: readonly string[];
  /** Host names; empty for all. */
  readonly hosts: readonly string[];
  /** null: the default path. */
  readonly healthPath: string | null;
  /** null: off. */
  readonly admin: string | null;
  /** null: the default. */
  readonly algorithm: AlgorithmName | null;
}

const HEAD = `# Settings of lb. "lb check" finds every mistake in this file, "lb help KEY" explains a key.
# A line such as #key: value is a setting that is off: take the # away to switch it on.
`;

/**
 * The text of a settings file with these answers. Settings that are often needed next are in it as comments; each of
 * these becomes valid when its `#` is removed, which has no blank or several blanks after it (a sentence has one).
 */
export function starterFile(answers: StarterAnswers): string {
  return [
    HEAD,
    `# Where requests come in: a port, or an address and a port.\nlisten: ${scalar(answers.listen)}\n`,
    adminBlock(answers),
    answers.hosts.length === 0 ? serversBlock(answers) : hostsBlock(answers),
    healthBlock(answers),
    algorithmBlock(answers),
    later(answers),
  ].join('\n');
}

function adminBlock({ admin }: StarterAnswers): string {
  const text = '# Status page, API and metrics. A port alone is one that only this machine reaches.';
  return `${text}\n${admin === null ? '#admin: 9090' : `admin: ${scalar(admin)}`}\n`;
}

function serversBlock({ servers }: StarterAnswers): string {
  return `# Where requests go. A server gets as many as its weight says, 1 unless it is given.
servers:
${servers.map((server) => `  - ${scalar(server)}\n`).join('')}#  - { address: "localhost:5003", name: big, weight: 2 }
#  - { address: "localhost:5004", backup: true }    # only when no other is left
`;
}

function hostsBlock({ hosts, servers }: StarterAnswers): string {
  const [only = ''] = hosts;
  return `# Requests for these names, and the servers they go to. Any other name gets 404.
hosts:
  - host: ${hosts.length === 1 ? scalar(only) : flowYaml(hosts)}
    servers:
${servers.map((server) => `      - ${scalar(server)}\n`).join('')}#      - { address: "localhost:5003", name: big, weight: 2 }
#  - host: "*.more.example"
#    servers: ["localhost:5004"]

# Requests for every other name.
#servers: ["localhost:5005"]
`;
}

function healthBlock({ healthPath }: StarterAnswers): string {
  const text =
    '# Each server is asked how it is. While no path is chosen, every answer below 500 of / is a good one.';
  const path = healthPath ?? '/healthz';
  const line = `health_check: { path: ${scalar(path)}, interval: 5s }`;
  return `${text}\n${healthPath === null ? `#${line}` : line}\n`;
}

function algorithmBlock({ algorithm }: StarterAnswers): string {
  const text = '# Which server gets a request. Without this each in turn.';
  return `${text}\n${algorithm === null ? '#algorithm: least_connections' : `algorithm: ${algorithm}`}\n`;
}

function later({ hosts }: StarterAnswers): string {
  const [host = 'www.example.com'] = hosts.map((name) => name.replace(/^\*/, 'www'));
  return `# A client stays with the server that it got first, by its address; "lb help sticky" explains cookies.
#sticky: { client_ip: true }

# How long each stage may take; in-flight requests have "drain" to finish when lb stops.
#timeouts: { connect: 3s, response_header: 60s, drain: 30s }

# Larger requests are refused with 413.
#limits: { body_bytes: 10mb }

# The proxies in front of lb: what they say about the client is believed.
#trusted_proxies: [10.0.0.0/8]

# A path for the health checks of whatever is in front of lb.
#readiness_path: /readyz

# Headers for the servers and for the clients.
#header_rules: { add: { X-Client: "{client_ip}" } }
#response_header_rules: { add: { X-Served-By: "{server}" } }

# Too many requests of one client get 429, and some paths get 403.
#firewall_rules: { rate_limit: { requests: 100, per: 1s, burst: 200 }, path_reject: [/.git, /.env] }

# A line for each request: dev, combined, json or off.
#access_log: json

# Requests that lb check and every reload try out, without sending anything.
#tests:
#  - { request: ${JSON.stringify(`GET http://${host}/`)}, expect: { path: / } }
`;
}

/** Numbers stay numbers: `listen: 8080`. */
function scalar(text: string): string {
  return /^\d{1,5}$/.test(text) ? text : flowYaml(text);
}
