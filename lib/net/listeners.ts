import type { Address } from '../base/address.js';
import type { DescribedListener } from '../base/listener-text.js';
import type { Observer } from '../base/observer.js';
import { Listener, type ListenerDeps, type ListenerSettings } from './listener.js';
import type { ShortageAlarm } from './shortage.js';

/** What is known of a listener. */
export interface ListenerFigures extends DescribedListener {
  /** Open now, those that are not let in yet included. */
  readonly connections: number;
  /** null: no limit of its own. */
  readonly limit: number | null;
  /** How many were closed as `limit` were open. */
  readonly turnedAway: number;
}

/** Every door of a balancer, and how other doors take their place without one being shut too early. */
export class Listeners<Settings extends ListenerSettings = ListenerSettings> {
  readonly #deps: ListenerDeps<Settings>;
  readonly #observer: Observer;
  #wanted: readonly Settings[];
  #open: readonly Listener<Settings>[];

  constructor(
    wanted: readonly Settings[],
    deps: Omit<ListenerDeps<Settings>, 'onTrouble'>,
    observer: Observer,
    shortages: ShortageAlarm,
  ) {
    const onTrouble = ({ code = 'closed' }: NodeJS.ErrnoException): void =>
      shortages.note(code, 'a client could not be let in');
    this.#deps = { ...deps, onTrouble };
    this.#observer = observer;
    this.#wanted = wanted;
    this.#open = wanted.map((settings) => new Listener(settings, this.#deps));
  }

  /** Port 0 is resolved to the real one once it is open. */
  get addresses(): readonly Address[] {
    return this.#open.map((listener) => listener.address);
  }

  /** How they are, in the order of the settings. */
  get figures(): readonly ListenerFigures[] {
    return this.#open.map(({ address, state }, i) => {
      const { tls = null, redirect = null, proxyProtocol = null } = this.#wanted[i] as Settings;
      const { open, most, turnedAway } = state;
      const scheme = tls === null ? 'http' : 'https';
      const limit = most === 0 ? null : most;
      return { address: address.text, scheme, redirect, proxyProtocol, connections: open, limit, turnedAway };
    });
  }

  /** Binds each in turn. `permit` is asked before each and may throw; those that are open then stay open. */
  async open(permit: () => void): Promise<void> {
    for (const listener of this.#open) {
      permit();
      await listener.open();
      this.#apply();
      this.#observer.event?.({ what: 'listening', address: listener.address });
    }
  }

  /**
   * Those that are wanted already stay, new ones are bound, `takeOver` is called, and then those that are wanted no more
   * are closed. Rejects with the system's error when one can't be bound, or with what `takeOver` throws; nothing has
   * changed then.
   */
  async follow(wanted: readonly Settings[], takeOver: () => void): Promise<void> {
    const old = [...this.#open];
    const fresh: Listener<Settings>[] = [];
    const all = wanted.map((settings) => {
      const index = old.findIndex((listener) => listener.wanted.text === settings.address.text);
      const [kept] = index === -1 ? [] : old.splice(index, 1);
      if (kept !== undefined) return kept;
      const listener = new Listener(settings, this.#deps);
      fresh.push(listener);
      return listener;
    });
    try {
      for (const listener of fresh) await openBeside(old, listener);
      for (const [i, listener] of all.entries()) listener.changeMode(wanted[i] as Settings);
      takeOver();
    } catch (error) {
      for (const listener of fresh) listener.close();
      throw error;
    }
    for (const listener of old) listener.close();
    this.#open = all;
    this.#wanted = wanted;
    this.#apply();
    for (const listener of fresh) this.#observer.event?.({ what: 'listening', address: listener.address });
    for (const listener of old) this.#observer.event?.({ what: 'closed', address: listener.address });
  }

  /** As connections yet to come find it. */
  #apply(): void {
    const first = this.#wanted.findIndex(({ tls = null }) => tls !== null);
    const address = this.#open[first]?.address;
    const httpsPort = address?.kind === 'tcp' ? address.port : 443;
    for (const [i, listener] of this.#open.entries()) listener.apply(this.#wanted[i] as Settings, httpsPort);
  }

  close(): void {
    for (const listener of this.#open) listener.close();
  }
}

/** Opens a listener while those that go are open still. An error that one of them has the port says which (`heldBy`). */
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

/** One of every interface and one of a single interface can't both have it. */
function isSamePort(one: Address, other: Address): boolean {
  return one.kind === 'tcp' && other.kind === 'tcp' && one.port === other.port;
}
