import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Program } from '../cli/support.js';

/** The program that is one server. */
export const FIXTURE_SERVER = fileURLToPath(new URL('../../fixtures/server.js', import.meta.url));

/** The balancer and its servers, each a process of its own, as they are in earnest. */
export interface Processes {
  readonly balancer: Program;
  readonly port: number;
  readonly pid: number;
  readonly servers: readonly string[];
  stop(): void;
}

/** Starts `count` fixture servers, and `others`, behind the real program on a free port. */
export async function startProcesses(
  count: number,
  others: readonly string[] = [],
  options: readonly string[] = ['--access-log', 'off'],
): Promise<Processes> {
  const fixtures: Program[] = [];
  const servers: string[] = [];
  for (let index = 0; index < count; index++) {
    const fixture = new Program(['--name', `backend-${index}`], {}, FIXTURE_SERVER);
    fixtures.push(fixture);
    servers.push(await fixture.onStderr(/listens on (\S+)/));
  }
  servers.push(...others);
  const balancer = new Program(['0', ...servers, ...options]);
  const port = Number(await balancer.onStderr(/curl http:\/\/\S+?:(\d+)/));
  const stop = (): void => {
    for (const program of [balancer, ...fixtures]) program.kill();
  };
  return { balancer, port, pid: balancer.child.pid ?? 0, servers, stop };
}

/** Resident memory of a process in bytes: now, or the most it ever was. */
export function residentBytes(pid: number, which: 'now' | 'peak' = 'now'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = which === 'now' ? /^VmRSS:\s+(\d+) kB$/m : /^VmHWM:\s+(\d+) kB$/m;
  return Number(field.exec(status)?.[1]) * 1024;
}

/** Sockets a process has open. */
export function openSockets(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** How many files this process and those it starts may have open. */
export function fileLimit(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1] ?? 1024);
}
