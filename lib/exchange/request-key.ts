import { hashText } from '../base/hash.js';
import type { IpAddress } from '../base/ip-address.js';
import type { RequestKeyConfig } from '../config/types.js';
import type { RequestView } from '../http/request-view.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';

/** What of a request says whose it is and where it goes. */
export interface RequestFacts {
  readonly view: RequestView;
  /** Whom it is from, trusted proxies left out. */
  readonly client: IpAddress;
}

/** What requests are told apart by: the same for requests that belong to the same server. */
export class RequestKey {
  readonly #kind: RequestKeyConfig['kind'];
  readonly #name: string;
  readonly #orClient: boolean;

  /** `orClient`: a request that has nothing of the kind is told apart by its client's address. */
  constructor({ kind, name }: RequestKeyConfig, orClient = false) {
    this.#kind = kind;
    this.#name = name;
    this.#orClient = orClient;
  }

  /** As the request came, whatever rules do to it. Of several fields of a name the first one counts. */
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
