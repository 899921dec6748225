import { hashText } from '../base/hash.js';
import type { IpAddress } from '../base/ip-address.js';
import type { RequestKeyConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';

/** The facts about a request that a server is chosen by. */
export interface RequestFacts {
  readonly view: RequestView;
  /** The address of the client, after trusted proxies are skipped. */
  readonly client: IpAddress;
}

/** Computes the key of a request: requests with the same key belong to the same server. */
export class RequestKey {
  readonly #kind: RequestKeyConfig['kind'];
  readonly #name: string;
  readonly #orClient: boolean;

  /** `orClient`: the key of a request without such a value is its client's address. */
  constructor({ kind, name }: RequestKeyConfig, orClient = false) {
    this.#kind = kind;
    this.#name = name;
    this.#orClient = orClient;
  }

  /** From the request as received, before rules change it. Of several fields of a name the first one counts. */
  of(facts: RequestFacts): PickKey {
    const text = this.textOf(facts);
    if (text !== '') return hashText(text);
    return this.#orClient ? hashText(facts.client.key) : NO_KEY;
  }

  /** The value itself; empty when there is none. */
  textOf({ view, client }: RequestFacts): string {
    switch (this.#kind) {
      case 'client_ip':
        return client.key;
      case 'uri':
        return view.head.originTarget;
      case 'path':
        return view.path;
      case 'header':
        return view.spellings(this.#name)[0] ?? '';
      case 'cookie':
        return view.cookie(this.#name)[0] ?? '';
      case 'param':
        return view.param(this.#name)[0] ?? '';
    }
  }
}
