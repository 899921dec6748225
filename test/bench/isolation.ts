import { spawn, spawnSync } from 'node:child_process';

const MARK = 'LB_BENCH_ISOLATED';
const LOOPBACK_UP = 'ip link set lo up';

/** Whether this process has a network of its own: loopback without packet filter or connection tracking. */
export const isolated = process.env[MARK] === 'yes';

/**
 * The `unshare` command for a network namespace; undefined where the system has or permits none. The machine's
 * own network may filter and track every packet, which weighs as much as a balancer's work, and a connection
 * per request soon fills the tracking table.
 */
export function isolation(): readonly string[] | undefined {
  const commands = [
    ['unshare', '--net'],
    ['unshare', '--map-root-user', '--net'],
  ];
  return commands.find(([program = '', ...rest]) => {
    return spawnSync(program, [...rest, 'sh', '-c', LOOPBACK_UP], { stdio: 'ignore' }).status === 0;
  });
}

/** Runs this same command line again inside, passes signals on, and gives its exit code. */
export function runIsolated(command: readonly string[]): Promise<number> {
  const [program = '', ...rest] = command;
  const inside = ['sh', '-c', `${LOOPBACK_UP} && exec "$0" "$@"`, process.execPath, ...process.argv.slice(1)];
  const child = spawn(program, [...rest, ...inside], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: 'yes' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 130));
  });
}
