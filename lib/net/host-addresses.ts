import { isIP, isIPv6 } from 'node:net';
import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

/** Addresses of one family, and for how many ms they are valid. */
export interface Answer {
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Exactly one argument is set; the error's code is one of `node:dns` or of the system. */
export type AnswerCallback = (error: NodeJS.ErrnoException | null, answer: Answer) => void;

/** Resolves names, and keeps one object for each name. */
export interface NameService {
  readonly wheel: TimerWheel;
  readonly observer: Observer;
  /** Does it send no queries, because another thread does? Then all addresses come by `HostAddresses.take`. */
  readonly isTold?: boolean;
  ask(name: string, family: 4 | 6, callback: AnswerCallback): void;
  /** Resolves a name like the system does, including the hosts file. */
  askSystem(name: string, callback: AnswerCallback): void;
  /** `host` is not used any more. */
  drop(host: HostAddresses): void;
}

/** Where the addresses of names are found. */
export interface HostTable {
  /** The addresses of a name, for watchers; null when `address` needs no resolution. */
  hostOf(address: Address): HostAddresses | null;
}

/** What the main thread tells another thread about a name that it resolves. */
export interface ToldAddresses {
  /** In the order in which they are tried. */
  readonly addresses: readonly string[];
  /** Why there are none: the code of an error. */
  readonly failure: string;
}

/** Called when a name has other addresses. */
export interface AddressListener {
  onAddresses(addresses: readonly string[]): void;
}

/** Called once, with one or the other. */
export interface ResolveListener {
  onKnown(): void;
  /** There is no address; `error` is that of the last query. */
  onUnknown(error: NodeJS.ErrnoException): void;
}

/** After a query that failed. */
const RETRY_MS = 5000;
/** For this long, an address that failed to connect is tried last. */
const SHUNNED_MS = 10_000;
/** The most addresses tried for one connection. */
const MAX_CANDIDATES = 8;

interface Family {
  addresses: readonly string[];
  ttl: number;
  /** Why the last query failed. */
  error: NodeJS.ErrnoException | null;
}

/**
 * The addresses of one name, queried again when their TTL is over while there are watchers. A failed query changes
 * nothing: an unreachable name server must not take servers down.
 */
export class HostAddresses implements DeadlineOwner {
  readonly name: string;
  readonly #resolver: NameService;
  readonly #deadline: Deadline;
  readonly #watchers = new Set<AddressListener>();
  readonly #waiters = new Set<ResolveListener>();
  readonly #shunned = new Map<string, number>();
  readonly #v4: Family = { addresses: [], ttl: 0, error: null };
  readonly #v6: Family = { addresses: [], ttl: 0, error: null };
  /** IPv6 and IPv4 alternating, IPv6 first (RFC 8305, 4). */
  #addresses: readonly string[] = [];
  /** The addresses last reported to watchers and observers. */
  #reported: readonly string[] = [];
  #asking = 0;
  #turn = 0;
  /** The failure last reported; empty after a successful query. */
  #reportedFailure = '';
  #wasAnswered = false;
  /** Why another thread knows no address. */
  #toldFailure = '';

  constructor(name: string, resolver: NameService) {
    this.name = name;
    this.#resolver = resolver;
    this.#deadline = new Deadline(resolver.wheel, this);
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  get wheel(): TimerWheel {
    return this.#resolver.wheel;
  }

  /** Are there addresses that are up to date? Without watchers they are not refreshed. */
  get isKnown(): boolean {
    return (this.#watchers.size > 0 || this.#isTold) && this.#addresses.length > 0;
  }

  get #isTold(): boolean {
    return this.#resolver.isTold === true;
  }

  /** Takes over what the main thread has found, or that it has found nothing. */
  take({ addresses, failure }: ToldAddresses): void {
    const before = this.#addresses;
    this.#addresses = addresses;
    this.#toldFailure = addresses.length > 0 ? '' : failure;
    if (!sameSet(before, addresses)) this.#changeAddresses();
    this.#answerFromTold();
  }

  #answerFromTold(): void {
    if (this.#addresses.length > 0) this.#notifyWaiters((waiter) => waiter.onKnown());
    else if (this.#toldFailure !== '') {
      const code = this.#toldFailure;
      const error = Object.assign(new Error(`${this.name} could not be resolved: ${code}`), { code });
      this.#notifyWaiters((waiter) => waiter.onUnknown(error));
    }
  }

  /** From now on the addresses are refreshed, and `watcher` is called when they change. */
  watch(watcher: AddressListener): void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#ask();
  }

  /** Without watchers nothing is queried any more. */
  unwatch(watcher: AddressListener): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#deadline.release();
    this.#resolver.drop(this);
  }

  /** Calls `waiter` as soon as an address is known, but not before this returns. */
  wait(waiter: ResolveListener): void {
    this.#waiters.add(waiter);
    this.#ask();
  }

  cancel(waiter: ResolveListener): void {
    this.#waiters.delete(waiter);
  }

  /** The addresses to connect to, in order: each connection begins with another one, and failed ones come last. */
  candidates(): readonly string[] {
    const all = this.#addresses;
    const first = this.#turn++ % Math.max(1, all.length);
    const good: string[] = [];
    const shunned: string[] = [];
    // A name may have thousands of addresses: only as many as needed are looked at.
    for (let i = 0; i < all.length && good.length < MAX_CANDIDATES; i++) {
      const address = all[(first + i) % all.length] as string;
      if (this.#shunned.size === 0 || !this.#isShunned(address)) good.push(address);
      else if (shunned.length < MAX_CANDIDATES) shunned.push(address);
    }
    return good.concat(shunned).slice(0, MAX_CANDIDATES);
  }

  noteFailed(address: string): void {
    this.#shunned.set(address, this.wheel.now + SHUNNED_MS);
  }

  noteConnected(address: string): void {
    if (this.#shunned.size > 0) this.#shunned.delete(address);
  }

  #isShunned(address: string): boolean {
    const until = this.#shunned.get(address);
    if (until === undefined) return false;
    if (until > this.wheel.now) return true;
    this.#shunned.delete(address);
    return false;
  }

  /** The TTL is over. */
  onDeadline(): void {
    this.#ask();
  }

  #ask(): void {
    if (this.#isTold) {
      // No waiter is called before `wait` returns.
      if (this.#waiters.size > 0) setImmediate(() => this.#answerFromTold());
      return;
    }
    if (this.#asking > 0) return;
    if (isLocal(this.name)) {
      this.#askSystem();
      return;
    }
    this.#asking = 2;
    this.#resolver.ask(this.name, 4, (error, answer) => this.#onAnswer(this.#v4, error, answer));
    this.#resolver.ask(this.name, 6, (error, answer) => this.#onAnswer(this.#v6, error, answer));
  }

  #onAnswer(family: Family, error: NodeJS.ErrnoException | null, answer: Answer): void {
    this.#asking--;
    family.error = error;
    if (error === null) {
      family.addresses = answer.addresses;
      family.ttl = answer.ttl;
    }
    if (this.#asking === 0) this.#conclude();
    // Waiters need not wait for the other family too.
    else if (this.#addresses.length === 0 && error === null) this.#use();
  }

  #conclude(): void {
    const families = [this.#v4, this.#v6];
    const answered = families.filter(({ error }) => error === null);
    if (answered.length === 0) {
      if (this.#wasAnswered) this.#fail(this.#v4.error as NodeJS.ErrnoException);
      else this.#askSystem();
      return;
    }
    this.#wasAnswered = true;
    // A missing record of one family is a valid answer if the other family has some.
    for (const family of families) if (family.error?.code === 'ENODATA') family.addresses = [];
    this.#publish(Math.min(...answered.map(({ ttl }) => ttl)));
  }

  /** For names that name servers do not know: localhost, the hosts file, names without their domain. */
  #askSystem(): void {
    this.#asking = 1;
    this.#resolver.askSystem(this.name, (error, answer) => {
      this.#asking = 0;
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#v4.addresses = answer.addresses.filter((address) => !isIPv6(address));
      this.#v6.addresses = answer.addresses.filter((address) => isIPv6(address));
      this.#publish(answer.ttl);
    });
  }

  #publish(ttl: number): void {
    const before = this.#reported;
    const isFirst = before.length === 0 && this.#reportedFailure === '';
    this.#reportedFailure = '';
    this.#arm(ttl);
    this.#use();
    this.#reported = this.#addresses;
    if (sameSet(before, this.#addresses)) return;
    this.#resolver.observer.event?.({
      what: 'resolved',
      host: this.name,
      addresses: this.#addresses,
      isFirst,
    });
    this.#changeAddresses();
  }

  #changeAddresses(): void {
    if (this.#shunned.size > 0) {
      const known = new Set(this.#addresses);
      for (const address of this.#shunned.keys()) if (!known.has(address)) this.#shunned.delete(address);
    }
    // A watcher that is called may leave, and others may come.
    for (const watcher of [...this.#watchers]) watcher.onAddresses(this.#addresses);
  }

  /** Puts the addresses of both families into use. */
  #use(): void {
    // The hosts file may list an address twice.
    this.#addresses = [...new Set(interleave(this.#v6.addresses, this.#v4.addresses))];
    this.#notifyWaiters((waiter) => waiter.onKnown());
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#arm(RETRY_MS);
    const detail = error.code ?? error.message;
    if (detail !== this.#reportedFailure)
      this.#resolver.observer.event?.({ what: 'resolve_failed', host: this.name, detail });
    this.#reportedFailure = detail;
    this.#notifyWaiters((waiter) => {
      if (this.#addresses.length > 0) waiter.onKnown();
      else waiter.onUnknown(error);
    });
  }

  /** A waiter's reaction may cancel other waiters, or add new ones, which wait for the next answer. */
  #notifyWaiters(tell: (waiter: ResolveListener) => void): void {
    for (const waiter of [...this.#waiters]) if (this.#waiters.delete(waiter)) tell(waiter);
  }

  /** Not repeated for a name without watchers, such as the target of a health check. */
  #arm(ms: number): void {
    if (this.#watchers.size > 0) this.#deadline.arm(ms);
    else this.#resolver.drop(this);
  }
}

/** The host name of an address in lower case; null when it is no name. */
export function hostNameOf(address: Address): string | null {
  return address.kind === 'unix' || isIP(address.host) !== 0 ? null : address.host.toLowerCase();
}

/** RFC 6761, 6.3: such names are never sent to a name server. */
export function isLocal(name: string): boolean {
  return /^(.+\.)?localhost\.?$/.test(name);
}

function interleave(first: readonly string[], second: readonly string[]): readonly string[] {
  const all: string[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    const [one, other] = [first[i], second[i]];
    if (one !== undefined) all.push(one);
    if (other !== undefined) all.push(other);
  }
  return all;
}

/** Name servers rotate the order of their records. */
export function sameSet(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const known = new Set(one);
  return other.every((address) => known.has(address));
}
