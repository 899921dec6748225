import { readdirSync, readFileSync } from 'node:fs';

/** Linux shows processor times in ticks of 1/100 s whatever the kernel's own clock is. */
const TICK_MICROS = 10_000;

/** Processor time in µs since the start. `total` is exact; the split is known to a clock tick. */
export interface CpuTime {
  readonly total: number;
  readonly user: number;
  readonly system: number;
}

/** Bytes. RSS counts a page shared by two processes twice, PSS once, in halves. */
export interface Memory {
  readonly rss: number;
  readonly pss: number;
}

/** A process and all it started, parents first. */
export function treeOf(pid: number): number[] {
  const tree = [pid];
  for (const parent of tree) {
    for (const task of list(`/proc/${parent}/task`)) {
      tree.push(...read(`/proc/${parent}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
    }
  }
  return tree;
}

/** The processor time of a process and all it started. */
export function cpuTime(pid: number): CpuTime {
  let total = 0;
  let user = 0;
  let system = 0;
  for (const member of treeOf(pid)) {
    const fields = read(`/proc/${member}/stat`)
      .replace(/^.*\) /, '')
      .split(' ');
    user += Number(fields[11] ?? 0) * TICK_MICROS;
    system += Number(fields[12] ?? 0) * TICK_MICROS;
    for (const task of list(`/proc/${member}/task`)) {
      total += Number(read(`/proc/${member}/task/${task}/schedstat`).split(' ')[0]) / 1000;
    }
  }
  // A kernel without schedstat leaves the ticks.
  return { total: total > 0 ? total : user + system, user, system };
}

/** What `later - earlier` cost, the exact total divided as the ticks say. */
export function cpuBetween(earlier: CpuTime, later: CpuTime): CpuTime {
  const total = later.total - earlier.total;
  const user = later.user - earlier.user;
  const system = later.system - earlier.system;
  const share = user + system > 0 ? user / (user + system) : 0;
  return { total, user: total * share, system: total * (1 - share) };
}

/** The memory of a process and all it started. */
export function memory(pid: number): Memory {
  let rss = 0;
  let pss = 0;
  for (const member of treeOf(pid)) {
    const text = read(`/proc/${member}/smaps_rollup`);
    rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
    pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
  }
  return { rss, pss };
}

/** Time in µs that a processor was not idle, its hypervisor's theft included. */
export function coreBusy(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(read('/proc/stat'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MICROS;
}

/** TCP connections accepted so far in this network namespace, by anyone. */
export function connectionsAccepted(): number {
  const [names = '', values = ''] = read('/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('PassiveOpens')] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
