import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';

/** A bound socket of Node that nobody has told to listen, so that this process accepts nothing on it. */
interface BoundHandle {
  readonly fd: number;
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

interface BoundPipe {
  readonly fd: number;
  bind(path: string): number;
  close(): void;
}

/** Makes a socket listen that it has as descriptor 3, and ends. */
const LISTEN = "require('node:net').createServer().listen({ fd: 3 }, 4096, () => process.exit())";

/** A listening socket that this process holds for others and never accepts from, as systemd does for a socket unit. */
export interface HeldSocket {
  readonly descriptor: number;
  /** 0 for a Unix socket. */
  readonly port: number;
}

/** Holds a socket until the test ends: on any free port of `host`, or on a path. */
export async function holdSocket(t: Test, host: string): Promise<HeldSocket> {
  const handle = host.startsWith('/') ? heldPipe(host) : heldTcp(host);
  t.teardown(() => handle.close());
  const child = spawn(process.execPath, ['-e', LISTEN], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'inherit', 'inherit', handle.fd],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the socket on ${host} cannot listen`);
  const out: { port?: number } = {};
  if ('getsockname' in handle) handle.getsockname(out);
  return { descriptor: handle.fd, port: out.port ?? 0 };
}

function heldTcp(host: string): BoundHandle {
  const { TCP, constants } = binding<{
    TCP: new (kind: number) => BoundHandle;
    constants: { SERVER: number };
  }>('tcp_wrap');
  const handle = new TCP(constants.SERVER);
  const status = host.includes(':') ? handle.bind6(host, 0, 0) : handle.bind(host, 0);
  if (status !== 0) throw new Error(`${host} cannot be bound: ${status}`);
  return handle;
}

function heldPipe(path: string): BoundPipe {
  const { Pipe, constants } = binding<{
    Pipe: new (kind: number) => BoundPipe;
    constants: { SERVER: number };
  }>('pipe_wrap');
  const handle = new Pipe(constants.SERVER);
  const status = handle.bind(path);
  if (status !== 0) throw new Error(`${path} cannot be bound: ${status}`);
  return handle;
}

function binding<T>(name: string): T {
  return (process as unknown as { binding(name: string): T }).binding(name);
}
