import { FAILURES } from '../../base/failure.js';
import type { Reason } from '../../base/observer.js';
import { type DevRecord, devLine } from '../../observe/formats/dev.js';
import { count } from '../error-text.js';
import type { SignalSource } from '../stop-signals.js';
import type { Terminal } from '../terminal.js';
import type { AdminClient } from './client.js';
import type { RequestQuery } from './options.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Servers have a column that grows with them up to here. */
const WIDEST_SERVER = 21;

/** A line of `/api/tail`. */
interface TailLine {
  readonly ts: string;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly status: number;
  readonly server: string;
  readonly attempts: number;
  readonly tries: readonly { readonly server: string; readonly result: string }[];
  readonly duration_ms: number;
  readonly reason: Reason | '';
  readonly detail: string;
}

interface TailContext {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly signals: SignalSource;
}

/** Writes requests as they end, until a signal comes or the reader of stdout is gone. Rejects when the balancer ends it. */
export async function tail(
  client: AdminClient,
  filter: RequestQuery,
  asJson: boolean,
  { stdout, stderr, signals }: TailContext,
): Promise<void> {
  const left = new AbortController();
  const stop = (): void => left.abort();
  for (const signal of SIGNALS) signals.on(signal, stop);
  let widest = 1;
  const tell = (line: string): void => {
    if (stdout.isClosed) stop();
    else if (asJson) stdout.write(`${line}\n`);
    else {
      const read = JSON.parse(line) as TailLine | { readonly dropped: number };
      if ('dropped' in read) {
        const text = `${count(read.dropped, 'request')} left out: more than can be shown`;
        stderr.write(`${stderr.paint.yellow(text)}\n`);
        return;
      }
      widest = Math.min(WIDEST_SERVER, Math.max(widest, read.server.length));
      const columns = stdout.isTty ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
      const layout = { columns, serverWidth: widest, showsHost: true, paint: stdout.paint };
      stdout.write(devLine(recordOf(read), layout));
    }
  };
  try {
    await client.tail(filter, tell, left.signal);
  } finally {
    for (const signal of SIGNALS) signals.off(signal, stop);
  }
}

function recordOf(line: TailLine): DevRecord {
  return {
    startedAt: Date.parse(line.ts),
    durationMs: line.duration_ms,
    method: line.method,
    target: line.target,
    host: line.host,
    status: line.status,
    server: line.server,
    attempts: line.attempts,
    tries: line.tries.map(({ server, result }) => ({
      server,
      reason: /^\d+$/.test(result) ? '' : (result as Reason),
      status: Number(result) || 0,
    })),
    // A newer balancer may have a reason that this program does not know.
    reason: Object.hasOwn(FAILURES, line.reason) ? line.reason : '',
    detail: line.detail,
  };
}
