import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

/** Which processors do what: the balancer has one alone, clients and origins share the others. */
export interface Placement {
  /** The balancer's processor; -1 where nothing can be pinned. */
  readonly core: number;
  readonly balancer: readonly string[];
  readonly load: string;
}

/** The last processor for the balancer, the others for the rest. Needs two of them and taskset. */
export function placement(): Placement {
  const cores = allowedCores();
  const core = cores.at(-1);
  if (core === undefined || cores.length < 2 || !find('taskset')) return { core: -1, balancer: [], load: '' };
  return { core, balancer: ['taskset', '-c', String(core)], load: cores.slice(0, -1).join(',') };
}

/** Puts this process where the load is; what it starts goes with it. */
export function settle(place: Placement): void {
  if (place.core >= 0) spawnSync('taskset', ['-a', '-p', '-c', place.load, String(process.pid)]);
}

/** The path of an installed program, or undefined. */
export function find(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** What a program says of its version, or undefined where it is not installed. */
export function version(program: string): string | undefined {
  const path = find(program);
  if (!path) return undefined;
  const { stdout, stderr } = spawnSync(path, ['-v'], { encoding: 'utf8' });
  return /\d+\.\d+[.\d]*/.exec(stdout + stderr)?.[0] ?? 'of unknown version';
}

/** One line: processor, memory, kernel. */
export function machine(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpus()[0]?.model.trim()}, ${gibibytes} GiB, Linux ${release()}`;
}

/** How many descriptors a process may have. */
export function descriptorLimit(): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return Number(limit ?? 1024);
}

/** Free loopback ports, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
