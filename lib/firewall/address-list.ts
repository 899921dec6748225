import { type AddressBlock, AddressSet } from '../base/address-set.js';
import type { IpAddress } from '../base/ip-address.js';
import type { AddressEntry } from '../config/address-file.js';
import { type ClientGuard, FORBIDDEN } from './guard.js';

/** The entries of a list, including those of the files it names. */
class AddressList {
  /** One for the list itself, and one for each file: firewalls that name the same file share its set. */
  readonly #sets: readonly AddressSet[];

  constructor(entries: readonly AddressEntry[]) {
    const own: AddressBlock[] = [];
    const sets: AddressSet[] = [];
    for (const entry of entries) {
      if ('ranges' in entry) sets.push(AddressSet.of(entry.ranges));
      else own.push(entry);
    }
    this.#sets = own.length > 0 ? [new AddressSet(own), ...sets] : sets;
  }

  has(client: IpAddress): boolean {
    for (const set of this.#sets) if (set.has(client)) return true;
    return false;
  }
}

/** Refuses the clients of a list. */
export class IpReject implements ClientGuard {
  readonly name = 'ip_reject';
  readonly refusal = FORBIDDEN;
  readonly #addresses: AddressList;

  constructor(entries: readonly AddressEntry[]) {
    this.#addresses = new AddressList(entries);
  }

  admits(client: IpAddress): boolean {
    return !this.#addresses.has(client);
  }
}

/** Refuses every client that is not in a list; with an empty list, every client. */
export class IpAllow implements ClientGuard {
  readonly name = 'ip_allow';
  readonly refusal = FORBIDDEN;
  readonly #addresses: AddressList;

  constructor(entries: readonly AddressEntry[]) {
    this.#addresses = new AddressList(entries);
  }

  admits(client: IpAddress): boolean {
    return this.#addresses.has(client);
  }
}
