import { isIP } from 'node:net';
import { ValueError } from '../base/units.js';
import { duration } from './quantities.js';
import { each, type Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { DnsSettings } from './settings.js';
import type { DnsConfig } from './types.js';

const DEFAULT_DNS = defaultsOf<Omit<DnsConfig, 'servers'>>('dns');

/** ms spent opening connections, over all attempts; 0 if only pooled ones were used. */
export function compileDns(setting: DnsSettings = {}, report: Report): DnsConfig {
  const servers: string[] = [];
  for (const [item, path] of each(setting.servers, ['dns', 'servers'])) {
    const server = report.attempt(path, () => parseNameServer(item));
    if (server !== undefined) servers.push(server);
  }
  const faults = report.findings.length;
  const minTtl = duration(setting.min_ttl, DEFAULT_DNS.minTtl, ['dns', 'min_ttl'], report, 1);
  const maxTtl = duration(setting.max_ttl, DEFAULT_DNS.maxTtl, ['dns', 'max_ttl'], report, 1);
  if (minTtl > maxTtl && report.findings.length === faults) {
    const at = setting.max_ttl === undefined ? 'min_ttl' : 'max_ttl';
    report.problem(['dns', at], 'min_ttl is longer than max_ttl');
  }
  return { servers, minTtl, maxTtl };
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. */
function parseNameServer(text: string): string {
  if (isIP(text) !== 0) return text;
  const { host, port } = /^(?<host>\[[^\]]*\]|[^:]*):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  const bare = host?.replace(/^\[|\]$/g, '') ?? '';
  if (isIP(bare) === (host === bare ? 4 : 6) && Number(port) > 0 && Number(port) < 65536) return text;
  throw new ValueError(
    `expected the address of a name server, got ${JSON.stringify(text)}`,
    'Write an IP address, with a port if it is not 53.',
  );
}
