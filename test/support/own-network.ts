import { spawnSync } from 'node:child_process';

const LOOPBACK_UP = 'ip link set lo up';

/** The first of these commands that gives what it runs a network namespace; undefined when none does. */
export function ownNetwork(commands: readonly (readonly string[])[]): readonly string[] | undefined {
  return commands.find((command) => {
    const [program = '', ...rest] = withLoopback(command, ['true']);
    return spawnSync(program, rest, { stdio: 'ignore' }).status === 0;
  });
}

/** `program` as run by `command`, with a loopback interface that is up. */
export function withLoopback(command: readonly string[], program: readonly string[]): string[] {
  return [...command, 'sh', '-c', `${LOOPBACK_UP} && exec "$0" "$@"`, ...program];
}
