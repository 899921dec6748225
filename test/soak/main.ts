import * as http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openSockets, residentBytes, startProcesses } from '../support/processes.js';
import { anyVisitor, type Scene, WrongBytes } from './traffic.js';

/**
 * Mixed traffic through the real program for as long as asked, with servers that flap. Exit code 1 if anybody was
 * served wrongly, or if memory or sockets grow:
 * `node dist/test/soak/main.js [--minutes 10] [--visitors 16] [--seed 1]`
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    visitors: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
  },
});
const MEBIBYTE = 1024 * 1024;
const REPORT_MS = 15_000;
const FLAP_MS = 10_000;
/**
 * Behind the last visitor: who half-closed and went is found out when the server has not answered for 30 s, lingering
 * ends after 5 s, and connections to servers that nobody uses after 4.
 */
const REST_MS = 45_000;
const KEPT_FAILURES = 20;

const until = performance.now() + Number(values.minutes) * 60_000;
const processes = await startProcesses(3, [], ['--access-log', 'off', '--health-interval', '1s']);
const { balancer, pid, port } = processes;
const failures: string[] = [];
const samples: { rss: number; sockets: number }[] = [];
let requests = 0;
let failed = 0;
let id = 0;
let state = Number(values.seed);

const scene: Scene = {
  port,
  // Park and Miller's generator: good enough to choose visitors, and the same everywhere.
  below: (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % Math.max(1, limit);
  },
  nextId: () => ++id,
  answered: (count = 1) => {
    requests += count;
  },
};

function fail(why: string): void {
  failed++;
  if (failures.length < KEPT_FAILURES) failures.push(why);
}

const running = (): boolean => balancer.child.exitCode === null && balancer.child.signalCode === null;
const goesOn = (): boolean => performance.now() < until && running();

async function comeAndGo(): Promise<void> {
  while (goesOn()) {
    const visitor = anyVisitor(scene);
    try {
      await visitor(scene);
    } catch (error) {
      const kind = error instanceof WrongBytes ? 'WRONG BYTES' : 'failed';
      if (running()) fail(`${visitor.name} ${kind}: ${error instanceof Error ? error.message : error}`);
    }
    await pause(scene.below(30));
  }
}

/** One server after the other is unwell for a while; it goes on answering what it is asked. */
async function flap(): Promise<void> {
  for (let turn = 0; goesOn(); turn++) {
    const server = processes.servers[turn % processes.servers.length] ?? '';
    await tell(server, '/unhealthy');
    await pause(Math.min(FLAP_MS, Math.max(0, until - performance.now())));
    await tell(server, '/healthy');
    await pause(Math.min(FLAP_MS, Math.max(0, until - performance.now())));
  }
}

function tell(server: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(`http://${server}${path}`, { method: 'POST', agent: false });
    request.on('response', (answer) => answer.resume().on('end', resolve));
    request.on('error', reject).end();
  });
}

function report(): void {
  const sample = { rss: residentBytes(pid), sockets: openSockets(pid) };
  samples.push(sample);
  const seconds = Math.round(performance.now() / 1000);
  process.stdout.write(
    `${String(seconds).padStart(5)} s  ${(sample.rss / MEBIBYTE).toFixed(1).padStart(6)} MiB  ` +
      `${String(sample.sockets).padStart(4)} sockets  ${String(requests).padStart(8)} requests  ${failed} failures\n`,
  );
}

/** The mean memory of a part of the run, from `from` to `to` of 1. */
function meanMemory(from: number, to: number): number {
  const part = samples.slice(Math.floor(samples.length * from), Math.max(1, Math.ceil(samples.length * to)));
  return part.reduce((sum, { rss }) => sum + rss, 0) / part.length;
}

/** The first quarter warms up: caches and buffers find their size. */
function judgeMemory(): void {
  const before = meanMemory(0.25, 0.5);
  const after = meanMemory(0.75, 1);
  if (after > before * 1.15 + 8 * MEBIBYTE)
    fail(`memory grew from ${Math.round(before / MEBIBYTE)} to ${Math.round(after / MEBIBYTE)} MiB`);
}

/** What is left when everybody has gone: listeners, and the check that happens to be under way. */
async function judgeSockets(before: number): Promise<void> {
  const patience = performance.now() + REST_MS;
  const most = before + processes.servers.length;
  while (openSockets(pid) > most && performance.now() < patience) await pause(200);
  const after = openSockets(pid);
  process.stdout.write(`at rest ${after} sockets, ${before} at the start\n`);
  if (after > most) fail(`${after - before} sockets were left open`);
}

async function soak(): Promise<void> {
  const sockets = openSockets(pid);
  const reports = setInterval(report, REPORT_MS);
  await Promise.all([flap(), ...Array.from({ length: Number(values.visitors) }, comeAndGo)]);
  clearInterval(reports);
  if (!running()) {
    fail(`the balancer ended: ${balancer.stderr.slice(-2000)}`);
    return;
  }
  report();
  judgeMemory();
  await judgeSockets(sockets);
  balancer.child.kill('SIGTERM');
  const code = await balancer.end();
  if (code !== 0) fail(`it ended with ${code}: ${balancer.stderr.slice(-2000)}`);
}

process.once('SIGINT', () => {
  processes.stop();
  process.exit(130);
});
try {
  await soak();
} finally {
  processes.stop();
}
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.stdout.write(failed === 0 ? 'nothing grew, nobody was served wrongly\n' : `${failed} failures\n`);
process.exitCode = failed === 0 ? 0 : 1;
