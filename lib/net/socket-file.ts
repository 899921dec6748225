import { chmodSync, linkSync, lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import * as net from 'node:net';

/** What link() fails with on file systems that have no second name for a file. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * The file of a Unix socket that this process listens on, until it is removed. If another process goes on with the socket,
 * its file stays: closing the socket leaves it where it is.
 */
export class SocketFile {
  readonly #path: string;
  /** null: the file belongs to another program, such as the socket unit of a service. */
  readonly #own: Stats | null;

  private constructor(path: string, own: Stats | null) {
    this.#path = path;
    this.#own = own;
  }

  /** The file of an inherited socket. `isOwn`: it is removed at the end, because no other program removes it. */
  static inherited(path: string, isOwn: boolean): SocketFile {
    return new SocketFile(path, isOwn ? (lstatSync(path, { throwIfNoEntry: false }) ?? null) : null);
  }

  /**
   * Makes `server` listen on `path`; it emits `listening` or `error` later. libuv removes the name that a socket was bound to
   * when the socket is closed, and would do so while another process goes on with it. So the socket is bound to another
   * name, which is then given up. Throws the system's error: EADDRINUSE if the file exists.
   */
  static bind(
    server: net.Server,
    path: string,
    mode: number | null,
    options: net.ListenOptions = {},
  ): SocketFile {
    const beside = besideName(path);
    const onError = (error: Error): void => void renamed(error, beside, path);
    server.prependOnceListener('error', onError);
    const listen = (): void => void server.listen({ ...options, path: beside });
    if (mode === null) listen();
    else withMode(beside, mode, server, listen);
    if (!server.listening) return new SocketFile(path, null);
    server.off('error', onError);
    try {
      return new SocketFile(path, takeName(beside, path));
    } catch (error) {
      server.close();
      throw renamed(error as NodeJS.ErrnoException, beside, path);
    }
  }

  /** Is this a file that this process made, or has taken over from the one that did? */
  get isOwn(): boolean {
    return this.#own !== null;
  }

  /** Throws the system's error. Does nothing if the file belongs to another program. */
  changeMode(mode: number | null): void {
    if (this.isOwn) chmodSync(this.#path, mode ?? 0o777 & ~process.umask());
  }

  /** Removes the file, unless it has been replaced since or belongs to another program. */
  remove(): void {
    if (this.#own === null) return;
    try {
      const { ino, dev } = lstatSync(this.#path);
      if (ino === this.#own.ino && dev === this.#own.dev) unlinkSync(this.#path);
    } catch {
      // The file is gone, or the folder has become read-only. The next program that listens there replaces a file without a listener.
    }
  }
}

/**
 * A killed process leaves the file of its Unix socket, so that the next process could not listen. Removes the file if it
 * is a socket and no process listens there; returns false for anything else.
 */
export async function removeStale(path: string): Promise<boolean> {
  await removeDeserted(besideName(path));
  return removeDeserted(path);
}

async function removeDeserted(path: string): Promise<boolean> {
  try {
    // Checked first: a connection to a plain file is refused too.
    if (!lstatSync(path).isSocket() || !(await isDeserted(path))) return false;
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A byte longer, as what `parseAddress` takes leaves room for. */
function besideName(path: string): string {
  return `${path}~`;
}

/** Gives the file at `beside` the name `path`, which must be free. */
function takeName(beside: string, path: string): Stats {
  try {
    // Unlike rename(), it fails if the name is taken.
    linkSync(beside, path);
    unlinkSync(beside);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw Object.assign(error as Error, { code: 'EADDRINUSE' });
    if (!WITHOUT_LINKS.has(code)) throw error;
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      throw Object.assign(error as Error, { code: 'EADDRINUSE' });
    renameSync(beside, path);
  }
  return lstatSync(path);
}

/** The error as if the socket had been bound to `path`. */
function renamed(error: NodeJS.ErrnoException, beside: string, path: string): Error {
  const message = error.message.replaceAll(beside, path);
  return Object.assign(error, { message, address: path, port: -1, syscall: 'listen' });
}

/**
 * Binds by `listen`, which does so before it returns, and sets the mode of the file. The file never has a right beyond
 * `mode`, not even before its mode is set: a process could connect in that time.
 */
function withMode(path: string, mode: number, server: net.Server, listen: () => void): void {
  const restore = narrowUmask(~mode & 0o777);
  try {
    listen();
  } finally {
    restore();
  }
  // Otherwise the file belongs to another process.
  if (!server.listening) return;
  try {
    chmodSync(path, mode);
  } catch (error) {
    server.close();
    throw error;
  }
}

function narrowUmask(denied: number): () => void {
  try {
    const before = process.umask(denied);
    process.umask(before | denied);
    return () => void process.umask(before);
  } catch {
    // A worker thread may not change the umask.
    return () => {};
  }
}

function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
