import type { DnsFamily } from '../config/types.js';
import { FamilyRace } from '../net/family-race.js';
import type { Resolver } from '../net/resolver.js';
import { addressText } from './addresses.js';
import type { DiscoveredServer } from './contract.js';

/** The addresses of a name, sorted. */
export interface HostReply {
  readonly addresses: readonly string[];
  /** ms */
  readonly ttl: number;
  /** Why one family of addresses is as it was before; empty when all of it is new. */
  readonly trouble: string;
}

/** Exactly one argument is set. */
export type HostCallback = (error: string, reply: HostReply) => void;

const NOTHING: HostReply = { addresses: [], ttl: 0, trouble: '' };

/** The name exists without such a record, or does not exist. */
const NEGATIVE: ReadonlySet<string> = new Set(['ENODATA', 'ENOTFOUND']);

interface Family {
  readonly family: 4 | 6;
  addresses: readonly string[];
  ttl: number;
  /** Of the last query; empty: it was answered. */
  error: string;
}

/**
 * The addresses that a name has now. That there are none is an answer; when a name server fails, the other family of
 * addresses is still used. Of two families one is taken unless `both` are asked for: the one that connects first, until its
 * addresses change. Names that no name server has known yet are looked up by the system, which has the hosts file.
 */
export class HostQuery {
  readonly #name: string;
  readonly #port: number;
  readonly #resolver: Resolver;
  readonly #families: readonly Family[];
  readonly #isBoth: boolean;
  readonly #race: FamilyRace;
  #asking = 0;
  #wasAnswered = false;
  #isStopped = false;
  #callback: HostCallback | null = null;

  constructor(name: string, port: number, family: DnsFamily, resolver: Resolver) {
    this.#name = name;
    this.#port = port;
    this.#resolver = resolver;
    const wanted =
      family === 'ipv4' ? [4 as const] : family === 'ipv6' ? [6 as const] : [6 as const, 4 as const];
    this.#families = wanted.map((one) => ({ family: one, addresses: [], ttl: 0, error: '' }));
    this.#isBoth = family === 'both';
    this.#race = new FamilyRace(resolver.wheel);
  }

  /** `callback` is called once, unless it is asked again meanwhile: then for the later question. */
  ask(callback: HostCallback): void {
    this.#callback = callback;
    if (this.#asking > 0 || this.#race.isRunning) return;
    this.#asking = this.#families.length;
    for (const family of this.#families) {
      this.#resolver.ask(this.#name, family.family, (error, { addresses, ttl }) => {
        family.error = error === null ? '' : (error.code ?? error.message);
        if (error === null) {
          family.addresses = [...addresses].sort();
          family.ttl = ttl;
        }
        if (--this.#asking === 0) this.#conclude();
      });
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#race.cancel();
  }

  #conclude(): void {
    if (this.#isStopped) return;
    const failed = this.#families.find(({ error }) => error !== '' && !NEGATIVE.has(error));
    const answered = this.#families.filter(({ error }) => error === '');
    if (answered.length === 0 && !this.#wasAnswered) {
      this.#askSystem();
      return;
    }
    for (const family of this.#families) if (NEGATIVE.has(family.error)) family.addresses = [];
    if (answered.length > 0) this.#wasAnswered = true;
    else if (failed !== undefined) {
      this.#tell(failed.error, NOTHING);
      return;
    }
    const ttl = answered.reduce(
      (least, one) => Math.min(least, one.ttl),
      answered[0]?.ttl ?? this.#resolver.negativeTtl,
    );
    this.#choose(ttl, failed === undefined ? '' : `${this.#name}: ${failed.error}`);
  }

  #askSystem(): void {
    const firstError = this.#families[0]?.error ?? '';
    this.#resolver.askSystem(this.#name, (error, { addresses, ttl }) => {
      if (this.#isStopped) return;
      if (error !== null) {
        const isKnownNotToBe = this.#families.every((family) => NEGATIVE.has(family.error));
        if (isKnownNotToBe && error.code === 'ENOTFOUND')
          this.#tell('', { ...NOTHING, ttl: this.#resolver.negativeTtl });
        else this.#tell(firstError, NOTHING);
        return;
      }
      for (const family of this.#families)
        family.addresses = [...new Set(addresses)]
          .filter((one) => one.includes(':') === (family.family === 6))
          .sort();
      this.#choose(ttl, '');
    });
  }

  #choose(ttl: number, trouble: string): void {
    const [first, second] = this.#families.filter(({ addresses }) => addresses.length > 0);
    if (first === undefined || second === undefined || this.#isBoth) {
      const addresses = this.#families.flatMap((family) => family.addresses);
      this.#tell('', { addresses, ttl, trouble });
      return;
    }
    this.#race.run(first.addresses, second.addresses, this.#port, (winner) => {
      this.#tell('', { addresses: winner === 'first' ? first.addresses : second.addresses, ttl, trouble });
    });
  }

  #tell(error: string, reply: HostReply): void {
    const callback = this.#callback;
    this.#callback = null;
    if (!this.#isStopped) callback?.(error, reply);
  }
}

/** The server at one address of a name. */
export function serverAt(
  address: string,
  port: number,
  host: string,
  terms: Partial<Pick<DiscoveredServer, 'weight' | 'backup' | 'origin'>> = {},
): DiscoveredServer {
  const { weight = null, backup = null, origin = '' } = terms;
  return {
    address: addressText(address, port),
    name: null,
    weight,
    backup,
    maxConnections: null,
    host,
    origin,
  };
}
