import { getSystemErrorName } from 'node:util';
import { type ConnectionEnds, connectionEnds } from '../base/connection-ends.js';

/**
 * What lies below Node's sockets: handles of libuv, and the requests passed to them. None of it is documented; it is the
 * same in Node 20, 22, 24 and 26. If it is missing, sockets are used by documented means, and cost more.
 */

/** A connected socket of libuv. Calls return 0 or a negative error of the system. */
export interface StreamHandle {
  /** Called for every read; returns the buffer for the next one, or undefined to keep the last. */
  onread: ((this: StreamHandle) => Buffer | undefined) | undefined;
  /** From now on reads go into `buffer`, which must stay alive. */
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: object, text: string): number;
  writeBuffer(request: object, bytes: Uint8Array): number;
  writev(request: object, chunks: readonly unknown[], allBuffers: boolean): number;
  /** Sends FIN after what was written. 1 and ENOTCONN: there is no peer to send it to. */
  shutdown(request: object): number;
  close(done?: () => void): void;
  /** Bytes written that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Its file descriptor; negative when there is none, or none any more. */
  readonly fd?: number;
  /** Only for TLS: the stream that carries the encrypted bytes. */
  readonly _parent?: StreamHandle;
  // The following exist only for TCP.
  reset?(done: () => void): number;
  getpeername?(out: { address?: string; port?: number }): number;
  getsockname?(out: { address?: string; port?: number }): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, afterSeconds: number): number;
}

/** The classes of requests, and where reads and writes leave their results. */
export interface StreamBinding {
  readonly WriteWrap: new () => object;
  readonly ShutdownWrap: new () => object;
  /**
   * At `kReadBytesOrError`: bytes of the read that `onread` is called for, or a negative error of the system. At
   * `kLastWriteWasAsync`: 1 if the last write will be completed later, else 0.
   */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

/** A TCP socket that is not connected yet. */
export interface TcpHandle extends StreamHandle {
  connect(request: object, address: string, port: number): number;
  connect6(request: object, address: string, port: number): number;
}

/** A Unix socket that is not connected yet. */
export interface PipeHandle extends StreamHandle {
  connect(request: object, path: string): number;
}

/** Opens TCP connections. */
export interface TcpBinding {
  readonly TCP: new (kind: number) => TcpHandle;
  readonly TCPConnectWrap: new () => object;
  readonly constants: { readonly SOCKET: number };
}

/** Opens connections to Unix sockets. */
export interface PipeBinding {
  readonly Pipe: new (kind: number) => PipeHandle;
  readonly PipeConnectWrap: new () => object;
  readonly constants: { readonly SOCKET: number };
}

/** Everything that the fast means need. */
interface Bindings {
  readonly stream: StreamBinding;
  readonly tcp: TcpBinding;
  readonly pipe: PipeBinding;
}

/** null until `loadBindings` has found all of them: nothing undocumented is used before. */
export let streamBinding: StreamBinding | null = null;
export let tcpBinding: TcpBinding | null = null;
export let pipeBinding: PipeBinding | null = null;

let absence: string | null | undefined;

/** Returns null when everything is there, else what is missing, as a clause. Node is asked once. */
export function loadBindings(): string | null {
  if (absence !== undefined) return absence;
  const found = find();
  if (typeof found === 'string') {
    absence = found;
  } else {
    ({ stream: streamBinding, tcp: tcpBinding, pipe: pipeBinding } = found);
    absence = null;
  }
  return absence;
}

const STREAM_METHODS = [
  ...['useUserBuffer', 'readStart', 'readStop', 'writeLatin1String', 'writeBuffer', 'writev'],
  ...['shutdown', 'close', 'connect'],
];
const TCP_METHODS = [...STREAM_METHODS, 'connect6', 'reset', 'getpeername', 'setNoDelay', 'setKeepAlive'];

function find(): Bindings | string {
  if (typeof (process as { binding?: unknown }).binding !== 'function') return 'process.binding is missing';
  // The call is deprecated, and the error would be thrown later, where it cannot be caught.
  if (process.throwDeprecation) return 'process.binding is deprecated, and --throw-deprecation is set';
  try {
    const stream = binding<StreamBinding>('stream_wrap');
    const tcp = binding<TcpBinding>('tcp_wrap');
    const pipe = binding<PipeBinding>('pipe_wrap');
    if (isStreamBinding(stream) && isTcpBinding(tcp) && isPipeBinding(pipe)) return { stream, tcp, pipe };
    return 'process.binding has other parts than it had';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `process.binding is refused: ${code ?? message.split('\n', 1)[0]}`;
  }
}

function binding<T>(name: string): Partial<T> {
  return (process as unknown as { binding(name: string): Partial<T> }).binding(name);
}

function isStreamBinding(found: Partial<StreamBinding>): found is StreamBinding {
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = found;
  return (
    typeof WriteWrap === 'function' &&
    typeof ShutdownWrap === 'function' &&
    typeof streamBaseState?.[kReadBytesOrError as number] === 'number' &&
    typeof streamBaseState[kLastWriteWasAsync as number] === 'number'
  );
}

function isTcpBinding(found: Partial<TcpBinding>): found is TcpBinding {
  const { TCP, TCPConnectWrap, constants } = found;
  return (
    typeof TCPConnectWrap === 'function' &&
    typeof constants?.SOCKET === 'number' &&
    isHandleClass(TCP, TCP_METHODS)
  );
}

function isPipeBinding(found: Partial<PipeBinding>): found is PipeBinding {
  const { Pipe, PipeConnectWrap, constants } = found;
  return (
    typeof PipeConnectWrap === 'function' &&
    typeof constants?.SOCKET === 'number' &&
    isHandleClass(Pipe, STREAM_METHODS)
  );
}

function isHandleClass(candidate: unknown, methods: readonly string[]): boolean {
  if (typeof candidate !== 'function') return false;
  const handle = candidate.prototype as Record<string, unknown>;
  // This is a getter, which has no value without a socket.
  return 'writeQueueSize' in handle && methods.every((method) => typeof handle[method] === 'function');
}

/**
 * Is this the handle of a TCP or Unix socket? That of a TLS socket has the same methods and shows the same file
 * descriptor, but bytes written to that would be sent in clear text, past TLS.
 */
export function isStreamHandle(candidate: unknown): candidate is StreamHandle {
  if (tcpBinding === null || pipeBinding === null) return false;
  return candidate instanceof tcpBinding.TCP || candidate instanceof pipeBinding.Pipe;
}

/** Without a port; empty for a Unix socket, and after it is closed. */
export function peerAddress(handle: StreamHandle): string {
  const out: { address?: string } = {};
  handle.getpeername?.(out);
  return out.address ?? '';
}

/** Both ends of the connection, with ports; unknown for a Unix socket, and after it is closed. */
export function endsOf(handle: StreamHandle): ConnectionEnds {
  const socket = handle._parent ?? handle;
  const peer = {};
  const local = {};
  socket.getpeername?.(peer);
  socket.getsockname?.(local);
  return connectionEnds(peer, local);
}

/** A status of libuv as the error that Node would make of it. */
export function systemError(status: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: status, syscall });
}
