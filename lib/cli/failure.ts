import { FileError } from '../base/regular-file.js';

/** What the program tried when the system refused. */
export type Attempt =
  | { readonly reading: string }
  | { readonly writing: string }
  | { readonly listening: true };

/** An error of the system or of a file as one line that says what to do; null for every other error. */
export function explainFailure(error: unknown, attempt: Attempt): string | null {
  const isFileError = error instanceof FileError;
  if (!isFileError && !isSystemError(error)) return null;
  if ('listening' in attempt) return isFileError ? null : listenTrouble(error);
  const trouble = isFileError ? `${error.message}.` : fileTrouble(error);
  return 'reading' in attempt
    ? `cannot read ${attempt.reading}: ${trouble}`
    : `cannot write ${attempt.writing}: ${trouble}`;
}

function listenTrouble(error: SystemError): string {
  const { code, port = 0, address = '' } = error;
  const isPath = address.startsWith('/') || port < 0;
  if (isPath) return `cannot listen on ${address}: ${socketPathTrouble(error)}`;
  switch (code) {
    case 'EADDRINUSE':
      // Two addresses of one port: one of them on every interface.
      if (error.heldBy !== undefined)
        return `port ${port} is in use by lb itself, as ${error.heldBy}: such a move takes a restart.`;
      if (error.heldByInherited !== undefined)
        return (
          `port ${port} belongs to the inherited socket ${error.heldByInherited}, and the listener wants ` +
          `${error.wanted}: give both the same address.`
        );
      return `port ${port} is in use. Stop what listens there (lsof -i :${port} names it) or take another port.`;
    case 'EACCES':
      return port < 1024
        ? `port ${port} needs privileges. Take one above 1023, or allow it: ` +
            `sudo setcap cap_net_bind_service=+ep "$(command -v node)"`
        : `not allowed to listen on port ${port}.`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${address}:${port}: no network interface has this address.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot listen on ${error.hostname ?? address}: this name has no address.`;
    default:
      return `cannot listen: ${error.message}`;
  }
}

function socketPathTrouble(error: SystemError): string {
  if (error.code === 'EADDRINUSE')
    return 'the file is there already. Remove it if nothing uses it, or take another path.';
  return fileTrouble(error);
}

function fileTrouble(error: SystemError): string {
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such file or directory.';
    case 'EACCES':
    case 'EPERM':
      return 'its permissions do not allow it.';
    case 'EISDIR':
      return 'it is a directory.';
    case 'ENXIO':
      return 'it is a named pipe or a device that nothing listens to.';
    case 'ENOTDIR':
      return 'a part of its path is not a directory.';
    default:
      return error.message;
  }
}

interface SystemError extends NodeJS.ErrnoException {
  readonly code: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  /** The listener of this program that has the port. */
  readonly heldBy?: string;
  /** The inherited socket that has the port, and the address that the listener wants. */
  readonly heldByInherited?: string;
  readonly wanted?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}
