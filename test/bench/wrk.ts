import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.js';
import { find } from './machine.js';
import type { Outcome } from './outcome.js';
import type { RunningPeer } from './peer.js';
import type { RequestLoad } from './row.js';

interface WrkSummary {
  readonly requests: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'status' | 'timeout', number>>;
}

/** How much longer than told wrk may take before it is killed. */
const PATIENCE_SECONDS = 15;

/** Runs wrk for whole seconds. wrk sends its next request on a connection when the response is complete. */
export async function wrk(
  load: RequestLoad,
  { port, secure }: Pick<RunningPeer, 'port' | 'secure'>,
  seconds: number,
  folder: string,
): Promise<Outcome> {
  const program = find('wrk');
  if (!program) throw new Error('wrk is not installed');
  const script = join(folder, 'load.lua');
  writeFileSync(script, lua(load));
  const url = `http${secure ? 's' : ''}://127.0.0.1:${port}${load.path}`;
  const options = ['-t1', `-c${load.connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url];
  const child = new Child('wrk', [program, ...options]);
  const timer = setTimeout(() => child.kill(), (seconds + PATIENCE_SECONDS) * 1000);
  await child.ended;
  clearTimeout(timer);
  const json = /^\{.*\}$/m.exec(child.output)?.[0];
  if (!json) throw new Error(`wrk failed: ${child.complaint}`);
  return outcome(JSON.parse(json) as WrkSummary);
}

function outcome(summary: WrkSummary): Outcome {
  const failures = Object.entries(summary.errors).filter(([, count]) => count > 0);
  return {
    units: summary.requests,
    seconds: summary.micros / 1e6,
    p50Ms: summary.p50 / 1000,
    p99Ms: summary.p99 / 1000,
    failures: failures.map(([kind, count]) => `${count} ${kind} errors`).join(', '),
  };
}

/** Only fixed values: a `request` or `response` function would cost wrk more than the balancers spend. */
function lua(load: RequestLoad): string {
  const headers = Object.entries(load.headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return `wrk.method = "${load.method}"
${headers.join('\n')}
${load.upload > 0 ? `wrk.body = string.rep("x", ${load.upload})` : ''}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
`;
}
