import type { Availability, Observer } from '../base/observer.js';
import type { Steps } from '../base/slices.js';
import type { ManagedServer } from './managed-server.js';

/** Servers that get no new requests: those that were removed, and those that an operator drains. */
export class LeavingServers {
  readonly #observer: Observer;
  /** Servers that get no new requests and still have some in flight. */
  readonly #emptying = new Set<ManagedServer>();
  /** Retired servers that may still have sockets: a connection may outlive its last request. */
  readonly #retired = new Set<ManagedServer>();

  /** `observer`: gets an event for each name whose servers have ended their last request. */
  constructor(observer: Observer) {
    this.#observer = observer;
  }

  /** Retired servers that may still have sockets. */
  get retired(): Iterable<ManagedServer> {
    return this.#retired;
  }

  /** An operator has set another availability. */
  follow(member: ManagedServer, availability: Availability): void {
    if (availability === 'ready') this.#emptying.delete(member);
    else this.#emptying.add(member);
  }

  /**
   * Sends no more requests to these servers: requests in flight finish, then the sockets close, and those that wait for a
   * connection go to other servers.
   */
  *retire(leaving: readonly ManagedServer[]): Steps<void> {
    yield* this.withdraw(leaving, true);
    // After all of them are retired, so that no request moves from one of them to another.
    yield* this.turnAway(leaving);
  }

  /**
   * Like `retire`, but requests that wait for a connection of these servers go on waiting until `turnAway`.
   * `tellsIdle`: a server without requests is reported as drained too.
   */
  *withdraw(leaving: readonly ManagedServer[], tellsIdle: boolean): Steps<void> {
    for (const member of this.#retired) if (isEmpty(member)) this.#retired.delete(member);
    for (const member of leaving) {
      if (tellsIdle || member.server.active > 0) this.#emptying.add(member);
      this.#retired.add(member);
      member.health.stop();
      member.server.retire();
      yield;
    }
  }

  /** Requests that wait for a connection of these servers go to others. */
  *turnAway(leaving: readonly ManagedServer[]): Steps<void> {
    for (const { server } of leaving) {
      server.pool.turnAway('removed');
      yield;
    }
  }

  /** Is there a server that gets no new requests and still has some in flight? */
  get isEmptying(): boolean {
    return this.#emptying.size > 0;
  }

  /** Emits `drained` for servers whose last request has ended. */
  reportDrained(): void {
    if (this.#emptying.size === 0) return;
    let names: Set<string> | null = null;
    for (const member of this.#emptying) {
      if (member.server.active > 0) continue;
      this.#emptying.delete(member);
      names ??= new Set();
      names.add(member.server.name);
    }
    if (names === null) return;
    // Several servers may have this name, and some may still have requests.
    for (const { server } of this.#emptying) names.delete(server.name);
    for (const name of names) this.#observer.event?.({ what: 'drained', server: name });
  }
}

function isEmpty({ server }: ManagedServer): boolean {
  return server.active === 0 && server.pool.openCount === 0;
}
