import * as net from 'node:net';
import { getSystemErrorName } from 'node:util';

/** Puts bytes on a socket, in the order of the calls. Errors reach its owner, or the socket's own listeners. */
export interface Outlet {
  /** latin1 */
  writeText(text: string): void;
  /** The bytes must not change until `pending` is 0. */
  writeBytes(bytes: Buffer): void;
  /** Both in one system call. */
  writeBoth(text: string, bytes: Buffer): void;
  /** A measure of what the kernel has not taken yet; falls with every byte that it takes. */
  readonly pending: number;
  /** Is that so much that the writer should wait until it is drained? */
  readonly isFull: boolean;
}

/** Told when all that was pending is with the kernel. */
export interface OutletOwner {
  drained(): void;
  /** The peer takes nothing more, and the outlet drops what is written from here on. */
  broken(error: NodeJS.ErrnoException): void;
}

/** A write in the terms of libuv. `oncomplete` is called only for one that did not complete at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  outlet: HandleOutlet | null;
  /** Keeps the bytes of an unfinished write alive. */
  bytes: Buffer | null;
  /** -1 unless a write that did not complete at once holds it. */
  getAsyncId(): number;
}

interface WriteHandle {
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  writev(request: WriteRequest, chunks: readonly unknown[], allBuffers: boolean): number;
  readonly writeQueueSize: number;
}

/** How sockets are written: on the handle below the stream, or through the stream where Node offers no other way. */
export type Writing = 'handle' | 'stream';

/**
 * Writing through the stream costs a request object, a dozen calls and a tick per write, and most of the garbage of a
 * small request. So writes go to the handle below the stream, with one request object that serves again and again as
 * long as writes complete at once, which nearly all do. The handle is not documented, but the same in Node 20 to 26;
 * it is looked at first, and where it is different the stream is used.
 */
export function openOutlet(socket: net.Socket, owner: OutletOwner, writing: Writing): Outlet {
  const handle = (socket as unknown as { _handle: unknown })._handle;
  if (writing === 'stream' || Request === null || !isWriteHandle(handle)) return new StreamOutlet(socket);
  return new HandleOutlet(socket, handle, owner);
}

function isWriteHandle(handle: unknown): handle is WriteHandle {
  const candidate = handle as Partial<WriteHandle> | null | undefined;
  return (
    typeof candidate?.writeLatin1String === 'function' &&
    typeof candidate.writeBuffer === 'function' &&
    typeof candidate.writev === 'function' &&
    typeof candidate.writeQueueSize === 'number'
  );
}

class StreamOutlet implements Outlet {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /** The stream counts a write as a whole until it is done; libuv's own queue shows what has gone of it. */
  get pending(): number {
    const { _handle: handle } = this.#socket as unknown as { _handle: Partial<WriteHandle> | null };
    return this.#socket.writableLength + (handle?.writeQueueSize ?? 0);
  }

  /** Only then does the stream tell of its drain. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  writeText(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  writeBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  writeBoth(text: string, bytes: Buffer): void {
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    this.#socket.write(bytes);
    this.#socket.uncork();
  }
}

class HandleOutlet implements Outlet {
  readonly #socket: net.Socket;
  readonly #handle: WriteHandle;
  readonly #owner: OutletOwner;
  #broken = false;

  constructor(socket: net.Socket, handle: WriteHandle, owner: OutletOwner) {
    this.#socket = socket;
    this.#handle = handle;
    this.#owner = owner;
  }

  /** What was pending when the socket was destroyed is gone with it. */
  get pending(): number {
    return this.#isDead ? 0 : this.#handle.writeQueueSize;
  }

  get #isDead(): boolean {
    return this.#broken || this.#socket.destroyed;
  }

  get isFull(): boolean {
    return this.pending > 0;
  }

  writeText(text: string): void {
    if (this.#isDead) return;
    const request = takeRequest();
    this.#written(request, null, this.#handle.writeLatin1String(request, text));
  }

  writeBytes(bytes: Buffer): void {
    if (this.#isDead) return;
    const request = takeRequest();
    this.#written(request, bytes, this.#handle.writeBuffer(request, bytes));
  }

  writeBoth(text: string, bytes: Buffer): void {
    if (this.#isDead) return;
    const request = takeRequest();
    this.#written(request, bytes, this.#handle.writev(request, [text, 'latin1', bytes, 'buffer'], false));
  }

  #written(request: WriteRequest, bytes: Buffer | null, status: number): void {
    // Not by the queue's size: what libuv could not write at the first try may be gone at the second, in the same
    // call, and still be completed later. To give such a request to another write aborts the process.
    if (request.getAsyncId() !== -1) {
      request.outlet = this;
      request.bytes = bytes;
      spare = null;
    }
    if (status !== 0) this.fail(status);
  }

  /** An unfinished write is finished, or failed. */
  completed(status: number): void {
    if (this.#isDead) return;
    if (status < 0) this.fail(status);
    else if (this.#handle.writeQueueSize === 0) this.#owner.drained();
  }

  fail(status: number): void {
    const code = getSystemErrorName(status);
    this.#broken = true;
    this.#owner.broken(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' }));
  }
}

function onComplete(this: WriteRequest, status: number): void {
  const { outlet } = this;
  this.outlet = null;
  this.bytes = null;
  outlet?.completed(status);
}

/** The request of the last write that completed at once. */
let spare: WriteRequest | null = null;

function takeRequest(): WriteRequest {
  if (spare !== null) return spare;
  const request = new (Request as new () => WriteRequest)();
  request.oncomplete = onComplete;
  request.outlet = null;
  request.bytes = null;
  spare = request;
  return request;
}

/** Node's class of write requests. It is not exported, but every socket shows one to its handle. */
const Request = ((): (new () => WriteRequest) | null => {
  const seen: (new () => WriteRequest)[] = [];
  const handle = {
    writeLatin1String(request: object): number {
      seen.push(request.constructor as new () => WriteRequest);
      return 0;
    },
    readStart: () => 0,
    readStop: () => 0,
    close: () => {},
    getAsyncId: () => 0,
  };
  try {
    const socket = new net.Socket({ handle, manualStart: true } as net.SocketConstructorOpts);
    socket.on('error', () => {});
    socket.write('x', 'latin1');
  } catch {
    // A Node that is built differently: the stream serves as well, only slower.
  }
  const [request] = seen;
  return typeof request?.prototype.getAsyncId === 'function' ? request : null;
})();
