import { spawn } from 'node:child_process';
import { ownNetwork, withLoopback } from '../support/own-network.js';

const MARK = 'LB_BENCH_ISOLATED';

/** Whether this process has a network of its own: loopback without packet filter or connection tracking. */
export const isolated = process.env[MARK] === 'yes';

/**
 * The `unshare` command for a network namespace; undefined where the system has or permits none. The machine's
 * own network may filter and track every packet, which weighs as much as a balancer's work, and a connection
 * per request soon fills the tracking table.
 */
export function isolation(): readonly string[] | undefined {
  return ownNetwork([
    ['unshare', '--net'],
    ['unshare', '--map-root-user', '--net'],
  ]);
}

/** Runs this same command line again inside, passes signals on, and gives its exit code. */
export function runIsolated(command: readonly string[]): Promise<number> {
  const [program = '', ...rest] = withLoopback(command, [process.execPath, ...process.argv.slice(1)]);
  const child = spawn(program, rest, {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: 'yes' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 130));
  });
}
