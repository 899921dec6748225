import { getSystemErrorName } from 'node:util';

/**
 * What lies below Node's sockets: handles of libuv, and the requests that are given to them. None of it is documented;
 * it is the same in Node 20 to 24. Where it is not there, sockets are used by documented means alone, and cost more.
 */

/** A connected socket of libuv. Calls give 0 or a negative error of the system. */
export interface StreamHandle {
  /** Called with every read; gives the buffer for the next one, or undefined to keep the last. */
  onread: ((this: StreamHandle) => Buffer | undefined) | undefined;
  /** From now on reads go into `buffer`, which must stay alive. */
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: object, text: string): number;
  writeBuffer(request: object, bytes: Uint8Array): number;
  writev(request: object, chunks: readonly unknown[], allBuffers: boolean): number;
  /** FIN behind what is written. 1 and ENOTCONN: there is nobody to send it to. */
  shutdown(request: object): number;
  close(done?: () => void): void;
  /** Bytes that were written and that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** The file below it; negative where there is none, or none any more. */
  readonly fd?: number;
  // The following are those of TCP alone.
  reset?(done: () => void): number;
  getpeername?(out: { address?: string }): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, afterSeconds: number): number;
}

/** The classes of requests, and where reads and writes leave how they went. */
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

/** A socket that is not connected yet. */
export interface ConnectableHandle extends StreamHandle {
  connect(request: object, address: string, port: number): number;
  connect6(request: object, address: string, port: number): number;
}

/** What connections are opened with. */
export interface ConnectBinding {
  readonly TCP: new (kind: number) => ConnectableHandle;
  readonly TCPConnectWrap: new () => object;
  readonly constants: { readonly SOCKET: number };
}

/** Null where Node is built differently. */
export const streamBinding: StreamBinding | null = ((): StreamBinding | null => {
  const found = binding<StreamBinding>('stream_wrap');
  return isComplete(found) ? found : null;
})();

/** Null where Node is built differently. */
export const connectBinding: ConnectBinding | null = ((): ConnectBinding | null => {
  const found = binding<ConnectBinding>('tcp_wrap');
  if (streamBinding === null || typeof found.TCPConnectWrap !== 'function') return null;
  const { TCP, constants } = found;
  if (typeof TCP !== 'function' || typeof constants?.SOCKET !== 'number') return null;
  const { connect, connect6 } = TCP.prototype as Partial<ConnectableHandle>;
  return typeof connect === 'function' && typeof connect6 === 'function' ? (found as ConnectBinding) : null;
})();

function binding<T>(name: string): Partial<T> {
  try {
    return (process as unknown as { binding(name: string): Partial<T> }).binding(name);
  } catch {
    return {};
  }
}

function isComplete(found: Partial<StreamBinding>): found is StreamBinding {
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = found;
  return (
    typeof WriteWrap === 'function' &&
    typeof ShutdownWrap === 'function' &&
    typeof streamBaseState?.[kReadBytesOrError as number] === 'number' &&
    typeof streamBaseState[kLastWriteWasAsync as number] === 'number'
  );
}

/** Has this handle all that is asked of one? */
export function isStreamHandle(candidate: unknown): candidate is StreamHandle {
  const handle = candidate as Partial<StreamHandle> | null | undefined;
  return (
    typeof handle?.useUserBuffer === 'function' &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.writeLatin1String === 'function' &&
    typeof handle.writeBuffer === 'function' &&
    typeof handle.writev === 'function' &&
    typeof handle.shutdown === 'function' &&
    typeof handle.writeQueueSize === 'number'
  );
}

/** Without a port; empty for a unix socket, and once it is gone. */
export function peerAddress(handle: StreamHandle): string {
  const out: { address?: string } = {};
  handle.getpeername?.(out);
  return out.address ?? '';
}

/** A status of libuv as the error that Node would have made of it. */
export function systemError(status: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: status, syscall });
}
