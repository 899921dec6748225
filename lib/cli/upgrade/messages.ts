/** A listening socket as it is handed over. */
export interface HandedSocket {
  /** Its number in the new program. */
  readonly descriptor: number;
  /** The configured address. */
  readonly wanted: string;
  /** Has the new program to remove the file of this Unix socket at its end? */
  readonly ownsFile: boolean;
  /** Does a service manager hold it too? */
  readonly isHeld: boolean;
}

/** The first message that the new program gets. */
export interface Handover {
  readonly what: 'handover';
  readonly sockets: readonly HandedSocket[];
  /** What operators have changed, as `writeChanges` writes it; null without a change. */
  readonly changes: string | null;
}

/** What the new program answers: what it writes to stderr until it is ready, and that it is ready. */
export type Report =
  | { readonly what: 'said'; readonly text: string }
  | { readonly what: 'ready'; readonly version: string };

/** The variable that tells a program that it was started for an upgrade. */
export const UPGRADE_VARIABLE = 'LB_UPGRADE';

export function isHandover(value: unknown): value is Handover {
  return typeof value === 'object' && value !== null && (value as { what?: unknown }).what === 'handover';
}

export function isReport(value: unknown): value is Report {
  if (typeof value !== 'object' || value === null) return false;
  const { what, text, version } = value as { what?: unknown; text?: unknown; version?: unknown };
  return (what === 'said' && typeof text === 'string') || (what === 'ready' && typeof version === 'string');
}
