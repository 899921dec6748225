import { isIPv6 } from 'node:net';
import type { Observer } from '../base/observer.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';

/** Addresses of one family, and how many ms they hold. */
export interface Answer {
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Exactly one of the two is given; the error's code is of `node:dns` or of the system. */
export type AnswerCallback = (error: NodeJS.ErrnoException | null, answer: Answer) => void;

/** Who finds the addresses of names, and keeps each name once. */
export interface NameService {
  readonly wheel: TimerWheel;
  readonly observer: Observer;
  ask(name: string, family: 4 | 6, callback: AnswerCallback): void;
  /** As the system looks names up, the hosts file included. */
  askSystem(name: string, callback: AnswerCallback): void;
  /** `host` is of no use to anybody any more. */
  drop(host: HostAddresses): void;
}

/** Told when a name has got other addresses. */
export interface AddressListener {
  onAddresses(addresses: readonly string[]): void;
}

/** Told once, one or the other. */
export interface ResolveListener {
  onKnown(): void;
  /** There is no address, for the reason of the last question. */
  onUnknown(error: NodeJS.ErrnoException): void;
}

/** After a question that was not answered. */
const RETRY_MS = 5000;
/** An address that could not be connected to is the last to be tried for so long. */
const SHUNNED_MS = 10_000;
/** Addresses tried for one connection. */
const MAX_CANDIDATES = 8;

interface Family {
  addresses: readonly string[];
  ttl: number;
  /** Why the last question had no answer. */
  error: NodeJS.ErrnoException | null;
}

/**
 * The addresses of one name, asked for again when their TTL is over and for as long as somebody watches. An answer
 * that fails to come changes nothing: a name server that is down must not take servers down.
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
  /** IPv6 and IPv4 in turn, IPv6 first (RFC 8305, 4). */
  #addresses: readonly string[] = [];
  /** What watchers and observers were told last. */
  #told: readonly string[] = [];
  #asking = 0;
  #turn = 0;
  /** What was last told to have failed; empty after a good answer. */
  #toldFailure = '';
  #wasAnswered = false;

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

  /** Are there addresses, and are they those of now? Without a listener they are not kept up to date. */
  get isKnown(): boolean {
    return this.#watchers.size > 0 && this.#addresses.length > 0;
  }

  /** From now on the addresses are kept up to date, and `watcher` is told when they change. */
  watch(watcher: AddressListener): void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#ask();
  }

  /** Behind the last watcher nothing is asked any more. */
  unwatch(watcher: AddressListener): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#deadline.release();
    this.#resolver.drop(this);
  }

  /** Tells `waiter`, not before this returns, as soon as an address is known. */
  wait(waiter: ResolveListener): void {
    this.#waiters.add(waiter);
    this.#ask();
  }

  cancel(waiter: ResolveListener): void {
    this.#waiters.delete(waiter);
  }

  /** Where to connect to, in order: each connection begins with another address, those that failed come last. */
  candidates(): readonly string[] {
    const all = this.#addresses;
    const first = this.#turn++ % Math.max(1, all.length);
    const good: string[] = [];
    const shunned: string[] = [];
    // A name may have thousands of addresses: no more are looked at than are needed.
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
    // Whoever waits does not have to wait for the other family as well.
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
    // No record of one family is an answer, as long as there are some of the other.
    for (const family of families) if (family.error?.code === 'ENODATA') family.addresses = [];
    this.#publish(Math.min(...answered.map(({ ttl }) => ttl)));
  }

  /** For what no name server has ever answered: localhost, the hosts file, names without their domain. */
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
    const before = this.#told;
    const isFirst = before.length === 0 && this.#toldFailure === '';
    this.#toldFailure = '';
    this.#arm(ttl);
    this.#use();
    this.#told = this.#addresses;
    if (sameSet(before, this.#addresses)) return;
    if (this.#shunned.size > 0) {
      const known = new Set(this.#addresses);
      for (const address of this.#shunned.keys()) if (!known.has(address)) this.#shunned.delete(address);
    }
    this.#resolver.observer.event?.({
      what: 'resolved',
      host: this.name,
      addresses: this.#addresses,
      isFirst,
    });
    for (const watcher of this.#watchers) watcher.onAddresses(this.#addresses);
  }

  /** Takes what the families hold into use. */
  #use(): void {
    // The hosts file may have one twice.
    this.#addresses = [...new Set(interleave(this.#v6.addresses, this.#v4.addresses))];
    this.#tellWaiters((waiter) => waiter.onKnown());
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#arm(RETRY_MS);
    const detail = error.code ?? error.message;
    if (detail !== this.#toldFailure)
      this.#resolver.observer.event?.({ what: 'resolve_failed', host: this.name, detail });
    this.#toldFailure = detail;
    this.#tellWaiters((waiter) => {
      if (this.#addresses.length > 0) waiter.onKnown();
      else waiter.onUnknown(error);
    });
  }

  /** What one of them does when it is told may make another leave, and others come that wait for the next answer. */
  #tellWaiters(tell: (waiter: ResolveListener) => void): void {
    for (const waiter of [...this.#waiters]) if (this.#waiters.delete(waiter)) tell(waiter);
  }

  /** Nobody asks again for a name that was only asked for once, such as that of a check elsewhere. */
  #arm(ms: number): void {
    if (this.#watchers.size > 0) this.#deadline.arm(ms);
    else this.#resolver.drop(this);
  }
}

/** RFC 6761, 6.3: never a question for a name server. */
function isLocal(name: string): boolean {
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

/** Name servers turn the order of their records. */
function sameSet(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const known = new Set(one);
  return other.every((address) => known.has(address));
}
