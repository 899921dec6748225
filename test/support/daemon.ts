import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as net from 'node:net';
import type { Test } from 'tap';

/** Is a program installed? Returns what `t.test` takes for `skip`: false, or why it is skipped. */
export function unlessInstalled(program: string): false | string {
  return spawnSync('which', [program]).status === 0 ? false : `${program} is not installed`;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a program that listens on `port`, waits until it does, and stops it after the test. */
export async function startDaemon(
  t: Test,
  program: string,
  args: readonly string[],
  port: number,
): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const end = performance.now() + 20_000;
  while (!(await takes(port))) {
    if (child.exitCode !== null || performance.now() > end)
      throw new Error(`${program} does not listen on port ${port}: ${output}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

function takes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
