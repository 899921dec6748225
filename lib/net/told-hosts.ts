import type { Address } from '../base/address.js';
import type { TimerWheel } from '../base/timer-wheel.js';
import {
  HostAddresses,
  type HostTable,
  hostNameOf,
  type NameService,
  type ToldAddresses,
} from './host-addresses.js';

/** The names that one thread has been told, with what is known of them. */
export type ToldAddressMap = ReadonlyMap<string, ToldAddresses>;

/** The names of servers in a thread that asks no name server: the main thread resolves each once, and tells. */
export class ToldHosts implements HostTable, NameService {
  readonly isTold = true;
  readonly wheel: TimerWheel;
  /** What becomes of names is reported where they are resolved. */
  readonly observer = {};
  readonly #known: Map<string, ToldAddresses>;
  readonly #hosts = new Map<string, HostAddresses>();

  constructor(wheel: TimerWheel, known: ToldAddressMap) {
    this.wheel = wheel;
    this.#known = new Map(known);
  }

  hostOf(address: Address): HostAddresses | null {
    const name = hostNameOf(address);
    if (name === null) return null;
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new HostAddresses(name, this);
      this.#hosts.set(name, host);
      const known = this.#known.get(name);
      if (known !== undefined) host.take(known);
    }
    return host;
  }

  /** `told`: null when the name is not resolved any more. */
  tell(name: string, told: ToldAddresses | null): void {
    if (told === null) {
      this.#known.delete(name);
      return;
    }
    this.#known.set(name, told);
    this.#hosts.get(name)?.take(told);
  }

  drop(host: HostAddresses): void {
    if (this.#hosts.get(host.name) === host) this.#hosts.delete(host.name);
  }

  ask(): void {}

  askSystem(): void {}
}
