import type { Steps } from '../base/slices.js';
import type { TlsConfig } from '../config/types.js';
import { type ContextCache, contextSource } from './contexts.js';
import { isSameFamily, type KeyPair } from './key-pair.js';
import {
  type ClientPolicy,
  type PublishedChoice,
  type PublishedTable,
  tlsConfigKey,
} from './published-certificates.js';

/** A certificate of a listener, and what it asks of clients. */
export interface OfferedPair {
  readonly pair: KeyPair;
  readonly policy: ClientPolicy;
}

/** What tables are made with. */
export interface TableDeps {
  /** Where contexts are tried. */
  readonly contexts: ContextCache;
  /** Are contexts used in this thread, and not only tried? */
  readonly keepsContexts: boolean;
  /** Are OCSP responses stapled for this certificate? */
  readonly isStapled: (pair: KeyPair) => boolean;
}

/**
 * Decides which certificates a listener shows for which name. Throws OpenSSL's error when it refuses those of a name: then no
 * thread need fear that it does.
 */
export function* makeTable(
  config: TlsConfig,
  offered: readonly OfferedPair[],
  deps: TableDeps,
): Steps<PublishedTable> {
  const make = new ChoiceMaker(config, deps);
  const byName = pairsByName(offered);
  const names: string[] = [];
  const choiceOf: number[] = [];
  for (const [name, pairs] of byName) {
    yield;
    names.push(name);
    choiceOf.push(make.choice(pairs));
  }
  const [first] = offered;
  yield;
  const fallback = first === undefined || config.strictSni ? null : make.choice(besideFirst(first, byName));
  const { id = '' } = first?.policy ?? {};
  const onePolicy = offered.every(({ policy }) => policy.id === id) ? id : null;
  return { config: tlsConfigKey(config), choices: make.choices, names, choiceOf, fallback, onePolicy };
}

/** Of an unknown name: the first certificate, with those that its first name is served with. */
function besideFirst(first: OfferedPair, byName: ReadonlyMap<string, OfferedPair[]>): readonly OfferedPair[] {
  const beside = byName.get(first.pair.leaf.facts.names[0] ?? '');
  return beside?.[0] === first ? beside : [first];
}

/** For each name the first certificate that covers it, and those with other kinds of keys that ask the same of clients. */
function pairsByName(offered: readonly OfferedPair[]): Map<string, OfferedPair[]> {
  const byName = new Map<string, OfferedPair[]>();
  for (const one of offered)
    for (const name of one.pair.leaf.facts.names) {
      const others = byName.get(name);
      if (others === undefined) byName.set(name, [one]);
      else if (goesBeside(one, others)) others.push(one);
    }
  return byName;
}

/** A response of OCSP is for one certificate, and which of several is shown OpenSSL decides too late for it. */
function goesBeside(one: OfferedPair, others: readonly OfferedPair[]): boolean {
  return others.every(
    (other) =>
      other.policy.id === one.policy.id &&
      !isSameFamily(other.pair, one.pair) &&
      !other.pair.leaf.mustStaple &&
      !one.pair.leaf.mustStaple,
  );
}

/** Makes each choice once, however many names it is for. */
class ChoiceMaker {
  readonly choices: PublishedChoice[] = [];
  readonly #config: TlsConfig;
  readonly #deps: TableDeps;
  readonly #numbers = new Map<string, number>();

  constructor(config: TlsConfig, deps: TableDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Returns the number of the choice. */
  choice(offered: readonly OfferedPair[]): number {
    const { policy, pair } = offered[0] as OfferedPair;
    const { contexts, keepsContexts, isStapled } = this.#deps;
    const pairs = offered.map((one) => one.pair.published);
    const source = contextSource(pairs, this.#config, policy);
    const known = this.#numbers.get(source.key);
    if (known !== undefined) return known;
    contexts.of(source).prove(keepsContexts);
    const staple = isStapled(pair) ? pair.leaf.facts.fingerprint : null;
    const number = this.choices.push({ ...source, staple }) - 1;
    this.#numbers.set(source.key, number);
    return number;
  }
}
