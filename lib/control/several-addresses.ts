import { isIP } from 'node:net';
import { namedAddress, parseAddress } from '../base/address.js';
import type { ServerConfig } from '../config/types.js';
import { hostNameOf, isLocal } from '../net/host-addresses.js';

/** Between the name of an entry and one of its addresses, in the name of a server. */
const SEPARATOR = '/';

interface Split {
  readonly addresses: readonly string[];
  readonly servers: readonly ServerConfig[];
}

/** The name of the entry whose address a server may be: `app:80` of `app:80/10.0.0.7`; null: the name is not of that form. */
export function entryNameOf(name: string): string | null {
  const at = name.lastIndexOf(SEPARATOR);
  return at > 0 && isIP(name.slice(at + 1)) !== 0 ? name.slice(0, at) : null;
}

/**
 * Host names of servers that have several addresses: an entry with such a name stands for a server at each of them, with
 * all that the entry has. Its name is that of the entry with the address: `app:80/10.0.0.7`.
 */
export class SeveralAddresses {
  /** By host name in lower case; each has two addresses or more. */
  readonly #lists: Map<string, readonly string[]>;
  readonly #splits = new WeakMap<ServerConfig, Split>();

  constructor(lists: Iterable<readonly [host: string, addresses: readonly string[]]> = []) {
    this.#lists = new Map(lists);
  }

  copy(): SeveralAddresses {
    return new SeveralAddresses(this.#lists);
  }

  get isEmpty(): boolean {
    return this.#lists.size === 0;
  }

  /** `addresses`: none for a name that has only one. Returns whether they are others than before. */
  set(host: string, addresses: readonly string[]): boolean {
    const before = this.#lists.get(host)?.join() ?? '';
    if (addresses.length === 0) this.#lists.delete(host);
    else this.#lists.set(host, addresses);
    return before !== addresses.join();
  }

  /** The servers that an entry stands for; null: it is one server. */
  of(entry: ServerConfig): readonly ServerConfig[] | null {
    if (this.#lists.size === 0) return null;
    const host = splitHostOf(entry);
    const addresses = host === null ? undefined : this.#lists.get(host);
    if (addresses === undefined) return null;
    const known = this.#splits.get(entry);
    if (known?.addresses === addresses) return known.servers;
    const servers = addresses.map((address) => serverAt(address, entry));
    this.#splits.set(entry, { addresses, servers });
    return servers;
  }
}

/** The host name of a server, if it may become several servers; null: it may not. */
export function splitHostOf({ address }: ServerConfig): string | null {
  const host = hostNameOf(address);
  return host === null || isLocal(host) ? null : host;
}

function serverAt(ip: string, entry: ServerConfig): ServerConfig {
  const { host, port } = entry.address as { readonly host: string; readonly port: number };
  const text = ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
  const address = namedAddress(parseAddress(text, { defaultHost: '' }), host);
  return Object.freeze({ ...entry, address, name: `${entry.name}${SEPARATOR}${ip}` });
}
