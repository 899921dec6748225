import { type AddressBlock, AddressSet } from '../base/address-set.js';
import type { IpAddress } from '../base/ip-address.js';
import { type ClientGuard, FORBIDDEN } from './guard.js';

/** Refuses the clients of a list. */
export class IpReject implements ClientGuard {
  readonly name = 'ip_reject';
  readonly refusal = FORBIDDEN;
  readonly #addresses: AddressSet;

  constructor(blocks: readonly AddressBlock[]) {
    this.#addresses = new AddressSet(blocks);
  }

  admits(client: IpAddress): boolean {
    return !this.#addresses.has(client);
  }
}

/** Refuses everyone but the clients of a list; with an empty one, everyone. */
export class IpAllow implements ClientGuard {
  readonly name = 'ip_allow';
  readonly refusal = FORBIDDEN;
  readonly #addresses: AddressSet;

  constructor(blocks: readonly AddressBlock[]) {
    this.#addresses = new AddressSet(blocks);
  }

  admits(client: IpAddress): boolean {
    return this.#addresses.has(client);
  }
}
