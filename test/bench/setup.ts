import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { certificateFiles } from './certificate.js';

/** What a balancer is configured to do beside balancing. */
export type Setup = 'plain' | 'hosts-10' | 'hosts-10k' | 'everything' | 'servers-1k' | 'tls';

/** Nobody of these is ever met but one in 127.66.0.0/24, who checks that the list is obeyed. */
const NETWORKS = 10_000;
const REJECTED = '127.66.0.1';
/** The origins listen at each of these on all their ports. */
export const MANY_ADDRESSES: readonly string[] = Array.from(
  { length: 500 },
  (_, index) => `127.67.${Math.floor(index / 250)}.${1 + (index % 250)}`,
);
const FEW = { hosts: 10, paths: 10 };
const MANY = { hosts: 10_000, paths: 1000 };

/** The names of a setup's hosts and the paths of the last one, which lead to the same origins. */
export interface Places {
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
}

/** Empty where there is but one place. */
export function placesOf(setup: Setup): Places {
  if (setup !== 'hosts-10' && setup !== 'hosts-10k') return { hosts: [], paths: [] };
  const { hosts, paths } = setup === 'hosts-10' ? FEW : MANY;
  return {
    hosts: Array.from({ length: hosts }, (_, index) => `www.host-${index}.test`),
    paths: Array.from({ length: paths }, (_, index) => `/place-${index}`),
  };
}

/** The headers and path of a request that all its places have to be searched for. */
export function farthest(setup: Setup): { readonly host: string; readonly path: string } {
  const { hosts, paths } = placesOf(setup);
  return { host: hosts.at(-1) ?? '', path: paths.at(-2) ?? '' };
}

/** The servers a balancer is given, as `host:port`. */
export function serversOf(setup: Setup, origins: readonly number[]): string[] {
  const hosts = setup === 'servers-1k' ? MANY_ADDRESSES : ['127.0.0.1'];
  return hosts.flatMap((host) => origins.map((origin) => `${host}:${origin}`));
}

/** 10,000 networks of many sizes, spread over all addresses, no two alike. */
export function networks(): string[] {
  const list = ['127.66.0.0/24'];
  // A linear congruence (Numerical Recipes): the same list each time, and no order in it.
  let state = 1;
  const taken = new Set<number>();
  while (list.length < NETWORKS) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const [a, b, c] = [state >>> 24, (state >>> 16) & 255, (state >>> 8) & 255];
    if (a === 0 || a === 127 || a > 223 || taken.has(state >>> 8)) continue;
    taken.add(state >>> 8);
    list.push(list.length % 4 === 0 ? `${a}.${b}.${c}.${state & 255}` : `${a}.${b}.${c}.0/24`);
  }
  return list;
}

/** What lb is given on its command line beside port, servers and the log: the name of a file made in `folder`. */
export function lbOptions(
  setup: Exclude<Setup, 'plain'>,
  folder: string,
  origins: readonly number[],
  port: number,
): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'lb.yaml');
  const servers = serversOf(setup, origins);
  // JSON is YAML.
  const settings =
    setup === 'everything'
      ? everything(servers)
      : { ...hosts(setup, servers), ...(setup === 'tls' && tlsOf(folder, port)) };
  writeFileSync(file, JSON.stringify(settings));
  const log =
    setup === 'everything'
      ? [
          'json',
          '--access-log-file',
          join(folder, 'access.log'),
          '--admin',
          `unix:${join(folder, 'admin.sock')}`,
        ]
      : ['off'];
  return ['--config', file, '--access-log', ...log];
}

function hosts(setup: Setup, servers: readonly string[]): object {
  const { hosts, paths } = placesOf(setup);
  const inner = { paths: paths.map((path) => ({ path, servers })) };
  return {
    servers,
    hosts: hosts.map((host, index) => ({ host, servers, ...(index === hosts.length - 1 && inner) })),
  };
}

function tlsOf(folder: string, port: number): object {
  const { cert, key } = certificateFiles(folder);
  const listen = [{ address: `127.0.0.1:${port}`, tls: true }];
  return { listen, tls: { certificates: [{ cert, key }] } };
}

function everything(servers: readonly string[]): object {
  return {
    servers,
    firewall_rules: {
      ip_reject: networks(),
      rate_limit: { requests: 1_000_000, per: '1s', burst: 1_000_000 },
    },
    header_rules: { add: { MyCustomHeader: 'Test', 'X-Client': '{client_ip}' }, remove: ['DNT'] },
    response_header_rules: { add: { 'X-Served-By': 'bench' }, remove: ['X-Powered-By'] },
    param_rules: { add: { MyCustomParam: 'Test' }, remove: ['RemoveMe'] },
  };
}

/** Throws, saying what is missing, unless the balancer at `port` does what the setup asks. */
export async function checkSetup(setup: Setup, port: number): Promise<void> {
  if (setup === 'plain' || setup === 'servers-1k' || setup === 'tls') return;
  if (setup === 'everything') {
    const { body } = await ask(port, '/rules?RemoveMe=1&keep=2', '', '127.0.0.1');
    const expected = 'Test 127.0.0.1 - keep=2&MyCustomParam=Test';
    if (body !== expected) throw new Error(`does not rewrite as asked: ${JSON.stringify(body)}`);
    const { status } = await ask(port, '/rules', '', REJECTED).catch(() => ({ status: 403 }));
    if (status !== 403) throw new Error(`lets ${REJECTED} in: ${status}`);
    return;
  }
  const { host, path } = farthest(setup);
  const { status, body } = await ask(port, `${path}/small`, host, '127.0.0.1');
  if (status !== 200 || body.length !== 61) throw new Error(`answers ${path} of ${host} with ${status}`);
}

function ask(
  port: number,
  path: string,
  host: string,
  from: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { DNT: '1', ...(host !== '' && { Host: host }) };
    const options = {
      host: '127.0.0.1',
      port,
      path,
      headers,
      localAddress: from,
      agent: false,
      timeout: 2000,
    };
    const outgoing = request(options, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: body.trimEnd() }));
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 2 s')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}
