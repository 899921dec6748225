import { hashText } from '../base/hash.js';
import type { RequestKeyConfig } from '../config/types.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';
import type { RequestContext } from './context.js';

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
  of(context: RequestContext): PickKey {
    const text = this.textOf(context);
    if (text !== '') return hashText(text);
    return this.#orClient ? hashText(context.client.key) : NO_KEY;
  }

  /** The value itself; empty when there is none. */
  textOf({ view, client }: RequestContext): string {
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
