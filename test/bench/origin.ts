import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { find, freePorts } from './machine.js';
import { nginxCommand, nginxOrigin } from './nginx.js';
import { reply, untilReady } from './reply.js';

const SMALL_BODY = 'The quick brown fox jumps over the lazy dog, twice or thrice.';
const MEDIUM_BYTES = 100 * 1024;
const LARGE_BYTES = 64 * 1024 * 1024;

/** Fields a balancer must have added for a comparison to be fair, in the order in which `/fields` shows them. */
const FIELDS = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Request-Id', 'Via'];

/**
 * Two servers of small and constant cost. They know `/small` (61 bytes), `/medium` (100 KiB), `/large` (64 MiB),
 * `/sink` (takes a body), `/` (for health checks) and `/fields`: the server's port, then a line for each field.
 */
export interface Origins {
  readonly program: 'nginx' | 'node';
  readonly ports: readonly number[];
}

/** Starts nginx with two ports, or a small server on Node where there is no nginx. */
export async function startOrigins(folder: string): Promise<Origins> {
  const ports = await freePorts(2);
  const nginx = find('nginx');
  const root = join(folder, 'origin');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'medium'), Buffer.alloc(MEDIUM_BYTES, 'm'));
  writeFileSync(join(root, 'large'), Buffer.alloc(LARGE_BYTES, 'l'));
  const own = fileURLToPath(new URL('./program/origin.js', import.meta.url));
  const command = nginx
    ? nginxCommand(nginx, root, nginxOrigin(root, ports, SMALL_BODY, FIELDS))
    : [process.execPath, own, root, SMALL_BODY, ...ports.map(String)];
  const child = new Child('origin', command);
  for (const port of ports) await untilReady(child, port);
  return { program: nginx ? 'nginx' : 'node', ports };
}

/**
 * What makes a comparison with this balancer unfair: the fields it does not add, that it uses one origin only.
 * Empty when all is well. Throws when a body is not the origin's.
 */
export async function shortcomings(port: number): Promise<string[]> {
  const small = await reply(port, '/small');
  if (small.body !== SMALL_BODY) throw new Error(`answered /small with: ${small.body.slice(0, 80)}`);
  const seen: string[][] = [];
  for (let count = 0; count < 4; count += 1) seen.push((await reply(port, '/fields')).body.split('\n'));
  const missing = FIELDS.filter((_, index) => !seen[0]?.[index + 1]);
  const used = new Set(seen.map((lines) => lines[0]));
  return used.size < 2 ? [...missing, 'the other origin'] : missing;
}
