import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import type { Acceptor } from './accept.js';
import { Listener } from './listener.js';
import type { ShortageAlarm } from './shortage.js';
import type { Sockets } from './sockets.js';

/** Every door of a balancer, and how other doors take their place without one being shut too early. */
export class Listeners {
  readonly #acceptor: Acceptor;
  readonly #sockets: Sockets;
  readonly #observer: Observer;
  readonly #shortages: ShortageAlarm;
  #open: readonly Listener[];

  constructor(
    wanted: readonly Address[],
    acceptor: Acceptor,
    sockets: Sockets,
    observer: Observer,
    shortages: ShortageAlarm,
  ) {
    this.#shortages = shortages;
    this.#acceptor = acceptor;
    this.#sockets = sockets;
    this.#observer = observer;
    this.#open = this.#make(wanted);
  }

  #make(wanted: readonly Address[]): readonly Listener[] {
    const onTrouble = ({ code = 'closed' }: NodeJS.ErrnoException): void =>
      this.#shortages.note(code, 'a client could not be let in');
    return wanted.map((address) => new Listener(address, this.#acceptor, this.#sockets, onTrouble));
  }

  /** Port 0 is resolved to the real one once it is open. */
  get addresses(): readonly Address[] {
    return this.#open.map((listener) => listener.address);
  }

  /** Binds each in turn. `permit` is asked before each and may throw; those that are open then stay open. */
  async open(permit: () => void): Promise<void> {
    for (const listener of this.#open) {
      permit();
      await listener.open();
      this.#observer.listening?.(listener.address);
    }
  }

  /**
   * Those that are wanted already stay, new ones are bound, `takeOver` is called, and then those that are wanted no more
   * are closed. Rejects with the system's error when one can't be bound, or with what `takeOver` throws; nothing has
   * changed then.
   */
  async follow(wanted: readonly Address[], takeOver: () => void): Promise<void> {
    const kept = this.#open.filter((listener) => wanted.some(({ text }) => text === listener.wanted.text));
    const fresh = this.#make(
      wanted.filter(({ text }) => !kept.some((listener) => listener.wanted.text === text)),
    );
    try {
      for (const listener of fresh) await listener.open();
      takeOver();
    } catch (error) {
      for (const listener of fresh) listener.close();
      throw error;
    }
    for (const listener of this.#open) if (!kept.includes(listener)) listener.close();
    this.#open = [...kept, ...fresh];
    for (const listener of fresh) this.#observer.listening?.(listener.address);
  }

  close(): void {
    for (const listener of this.#open) listener.close();
  }
}
