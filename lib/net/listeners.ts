import type { Address } from '../base/address.js';
import type { DescribedListener } from '../base/listener-text.js';
import type { Observer } from '../base/observer.js';
import { Listener, type ListenerDeps, type ListenerSettings } from './listener.js';
import type { ShortageAlarm } from './shortage.js';

/** The figures of a listener. */
export interface ListenerFigures extends DescribedListener {
  /** Open connections, including those that are not admitted yet. */
  readonly connections: number;
  /** null: the listener has no limit of its own. */
  readonly limit: number | null;
  /** Connections closed because `limit` was reached. */
  readonly turnedAway: number;
}

/** A socket on which this process listens. */
export interface ListeningSocket {
  readonly descriptor: number;
  readonly wanted: Address;
  /** With the port that the system chose for port 0. */
  readonly address: Address;
  /** Has the process to remove the file of this Unix socket at its end? */
  readonly ownsFile: boolean;
  /** Does a service manager hold the socket too? */
  readonly isHeld: boolean;
}

/** Listeners that are open and not in use yet. */
export interface PreparedListeners<Settings extends ListenerSettings = ListenerSettings> {
  readonly wanted: readonly Settings[];
  /** In the order of the settings. */
  readonly all: readonly Listener<Settings>[];
  /** Those among them that were opened. */
  readonly fresh: readonly Listener<Settings>[];
  /** Those that are not wanted any more. */
  readonly old: readonly Listener<Settings>[];
}

/** All listeners of a balancer, and their replacement by others without closing one too early. */
export class Listeners<Settings extends ListenerSettings = ListenerSettings> {
  readonly #deps: ListenerDeps<Settings>;
  readonly #observer: Observer;
  #wanted: readonly Settings[];
  #open: readonly Listener<Settings>[];
  #isHandedOver = false;

  constructor(
    wanted: readonly Settings[],
    deps: Omit<ListenerDeps<Settings>, 'onTrouble'>,
    observer: Observer,
    shortages: ShortageAlarm,
  ) {
    const onTrouble = ({ code = 'closed' }: NodeJS.ErrnoException): void =>
      shortages.note(code, 'a client could not be accepted');
    this.#deps = { ...deps, onTrouble };
    this.#observer = observer;
    this.#wanted = wanted;
    this.#open = wanted.map((settings) => new Listener(settings, this.#deps));
  }

  /** Port 0 is resolved to the real one once it is bound. */
  get addresses(): readonly Address[] {
    return this.#open.map((listener) => listener.address);
  }

  /** The figures in the order of the settings. */
  get figures(): readonly ListenerFigures[] {
    return this.#open.map(({ address, state }, i) => {
      const { tls = null, redirect = null, proxyProtocol = null } = this.#wanted[i] as Settings;
      const { open, most, turnedAway } = state;
      const scheme = tls === null ? 'http' : 'https';
      const limit = most === 0 ? null : most;
      return { address: address.text, scheme, redirect, proxyProtocol, connections: open, limit, turnedAway };
    });
  }

  /**
   * Opens each listener in order, those last whose sockets are inherited: these may have connections at once, which the
   * failure of another listener would cut. `permit` is called before each and may throw; listeners that are open then stay
   * open. `at`: the addresses that other threads have bound, instead of those of the settings.
   */
  async open(permit: () => void, at: readonly Address[] = []): Promise<void> {
    if (at.length > 0)
      this.#open = this.#wanted.map((settings, i) => new Listener(settings, this.#deps, at[i]));
    const { inherited } = this.#deps;
    const isInherited = (listener: Listener<Settings>): number =>
      Number(inherited?.has(listener.wanted) ?? false);
    const order = this.#open.map((listener) => ({ listener, rank: isInherited(listener) }));
    for (const { listener } of order.sort((one, other) => one.rank - other.rank)) {
      permit();
      await listener.open();
      this.#apply();
      this.#observer.event?.({ what: 'listening', address: listener.address });
    }
  }

  /**
   * Binds the listeners that are wanted and not open yet, beside those that are. Rejects with the system's error when an
   * address can't be bound; nothing has changed then. `install` or `discard` must follow. `at`: as in `open`.
   */
  async prepare(
    wanted: readonly Settings[],
    at: readonly Address[] = [],
  ): Promise<PreparedListeners<Settings>> {
    const old = [...this.#open];
    const fresh: Listener<Settings>[] = [];
    const all = wanted.map((settings, i) => {
      const index = old.findIndex((listener) => listener.wanted.text === settings.address.text);
      const [kept] = index === -1 ? [] : old.splice(index, 1);
      if (kept !== undefined) return kept;
      const listener = new Listener(settings, this.#deps, at[i]);
      fresh.push(listener);
      return listener;
    });
    const prepared = { wanted, all, fresh, old };
    try {
      for (const listener of fresh) await openBeside(old, listener);
      for (const [i, listener] of all.entries()) listener.changeMode(wanted[i] as Settings);
    } catch (error) {
      this.discard(prepared);
      throw error;
    }
    return prepared;
  }

  /** Closes the listeners that were opened for what is not wanted any more. */
  discard({ fresh }: PreparedListeners<Settings>): void {
    for (const listener of fresh) listener.close();
  }

  /** Uses the prepared listeners from now on, and closes those that are not among them. */
  install({ wanted, all, fresh, old }: PreparedListeners<Settings>): void {
    for (const listener of old) listener.close();
    this.#open = all;
    this.#wanted = wanted;
    this.#apply();
    for (const listener of fresh) this.#observer.event?.({ what: 'listening', address: listener.address });
    for (const listener of old) this.#observer.event?.({ what: 'closed', address: listener.address });
  }

  /** Applies settings for new connections. */
  #apply(): void {
    const first = this.#wanted.findIndex(({ tls = null }) => tls !== null);
    const address = this.#open[first]?.address;
    const httpsPort = address?.kind === 'tcp' ? address.port : 443;
    for (const [i, listener] of this.#open.entries()) listener.apply(this.#wanted[i] as Settings, httpsPort);
  }

  /** What another process needs to go on with the sockets; null if this Node does not report descriptors. */
  get sockets(): readonly ListeningSocket[] | null {
    const sockets: ListeningSocket[] = [];
    for (const { wanted, address, descriptor, ownsFile, isHeld } of this.#open) {
      // Another thread has the only socket of a path.
      if (descriptor === null && wanted.kind === 'unix' && this.#deps.sharing === 'further') continue;
      if (descriptor === null) return null;
      sockets.push({ descriptor, wanted, address, ownsFile, isHeld });
    }
    return sockets;
  }

  /** Another process goes on with the sockets: the files of Unix sockets stay when they are closed here. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  get isHandedOver(): boolean {
    return this.#isHandedOver;
  }

  /** Closes those whose sockets another process has too: what waits there is not lost. Returns how many. */
  closeShared(): number {
    const shared = this.#open.filter(({ isHeld }) => isHeld || this.#isHandedOver);
    for (const listener of shared) listener.close({ keepFile: this.#isHandedOver });
    return shared.length;
  }

  /** Safe to call several times. */
  close(): void {
    for (const listener of this.#open) listener.close({ keepFile: this.#isHandedOver });
  }
}

/** Opens a listener while old ones are still open. When one of them uses the port, the error names it (`heldBy`). */
async function openBeside<Settings extends ListenerSettings>(
  old: readonly Listener<Settings>[],
  listener: Listener<Settings>,
): Promise<void> {
  try {
    await listener.open();
  } catch (error) {
    const holder = old.find((other) => isSamePort(other.address, listener.wanted));
    const { code } = error as NodeJS.ErrnoException;
    throw code !== 'EADDRINUSE' || holder === undefined
      ? error
      : Object.assign(error as Error, { heldBy: holder.address.text });
  }
}

/** A listener on all interfaces and one on a single interface can't share a port. */
export function isSamePort(one: Address, other: Address): boolean {
  return one.kind === 'tcp' && other.kind === 'tcp' && one.port === other.port;
}
