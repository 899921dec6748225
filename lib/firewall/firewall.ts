import type { IpAddress } from '../base/ip-address.js';
import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { BudgetExhausted } from '../base/work-budget.js';
import type { FirewallConfig } from '../config/types.js';
import type { ClientTables } from '../shared/client-tables.js';
import { SharedMemory } from '../shared/shared-memory.js';
import { IpAllow, IpReject } from './address-list.js';
import { Ban } from './ban.js';
import { ConnectionLimit } from './connection-limit.js';
import {
  type ClientGuard,
  type FirewallRefusal,
  FORBIDDEN,
  type GuardedRequest,
  type GuardName,
  type RequestGuard,
  UNDECIDED,
} from './guard.js';
import { HeaderGuard } from './header-guard.js';
import { MethodGuard } from './method-guard.js';
import { PathGuard } from './path-guard.js';
import { RateLimit } from './rate-limit.js';
import { type GuardCounts, GuardPost, PASSED, type Refusals, type Verdict } from './verdict.js';

/**
 * What `max_connections_per_ip` counts: connections for the firewall before routing (`judgeAccept` is called for it
 * only), requests in flight for the firewall of a route.
 */
export type FirewallScope = 'connections' | 'requests';

/** The opinion of a guard on a request, for display. */
export interface GuardOpinion {
  readonly guard: GuardName;
  /** 0 when the guard does not refuse. */
  readonly status: number;
}

/** A client that is banned. */
export interface StandingBan {
  /** Its `IpAddress.key`. */
  readonly client: string;
  readonly leftMs: number;
}

const OTHER_READING = { name: 'other_reading' } as const;

/** Called when a ban begins, and when an operator lifts one. */
type BanListener = Pick<Observer, 'event'>;

/**
 * The guards of one scope of the configuration, in the order of their settings; the first refusal decides. It holds the
 * guards' memory, so there is one object for each `FirewallConfig`, however many routes share it.
 */
export class Firewall {
  readonly config: FirewallConfig;
  readonly clients: ClientTables;
  readonly #scope: FirewallScope;
  /** The guards that are configured; those that need no head come first. */
  readonly #clientPosts: readonly GuardPost<ClientGuard>[];
  readonly #requestPosts: readonly GuardPost<RequestGuard>[];
  /** For requests that go elsewhere: it counts refusals, and has no conditions. */
  readonly #otherReading: GuardPost<{ readonly name: 'other_reading' }>;
  readonly #limit: ConnectionLimit | null;
  readonly #ban: Ban | null;
  readonly #rateLimit: RateLimit | null;
  /** How long a ban lasts, in ms; 0 when bans are only observed: then no listener is called. */
  readonly #banFor: number;
  readonly #observer: BanListener;

  /**
   * `before` is the previous firewall of the same scope, whose counts continue. `clients` is what all threads know of
   * clients, by default that of `before`, or new: places stay taken, and a ban or a rate limit with unchanged settings
   * knows of its clients what the previous one did.
   */
  constructor(
    config: FirewallConfig,
    scope: FirewallScope,
    clock: Clock,
    observer: BanListener = {},
    before: Firewall | null = null,
    clients: ClientTables = before?.clients ?? SharedMemory.create().clients,
  ) {
    this.clients = clients;
    const names = [config.name, ...config.aliases];
    const { ipReject, ipAllow, maxConnectionsPerIp, ban, rateLimit, mode } = config;
    this.config = config;
    this.#observer = observer;
    this.#banFor = ban === null || mode === 'observe' ? 0 : ban.for;
    this.#scope = scope;
    this.#limit = maxConnectionsPerIp > 0 ? new ConnectionLimit(maxConnectionsPerIp, clients, names) : null;
    this.#ban = ban && new Ban(ban, clock, clients, names);
    this.#rateLimit = rateLimit && new RateLimit(rateLimit, clock, clients, names);
    const clientGuards: readonly (ClientGuard | null)[] = [
      ipReject.length > 0 ? new IpReject(ipReject) : null,
      ipAllow && new IpAllow(ipAllow),
      this.#limit,
      this.#ban,
    ];
    this.#clientPosts = posts(clientGuards, config, before);
    this.#requestPosts = posts([...requestGuards(config), this.#rateLimit], config, before);
    [this.#otherReading] = posts([OTHER_READING], config, before) as [GuardPost<typeof OTHER_READING>];
  }

  get name(): string {
    return this.config.name;
  }

  /** For each configured guard, in order; always the same objects. After a refusal it is the last. */
  get counts(): readonly GuardCounts[] {
    const { counts } = this.#otherReading;
    const set = [...this.#clientPosts, ...this.#requestPosts].map((post) => post.counts);
    return counts.refused + counts.observed > 0 ? [...set, counts] : set;
  }

  /** Adds what a guard has refused in another thread. */
  include(guard: GuardName, { refused, observed }: Refusals): void {
    const posts = [...this.#clientPosts, ...this.#requestPosts, this.#otherReading];
    const counts = posts.find((post) => post.guard.name === guard)?.counts;
    if (counts === undefined) return;
    counts.refused += refused;
    counts.observed += observed;
  }

  /**
   * Asks the guards that need no head about a connection. A connection that is not refused holds a place until `leave`.
   * Not for peers in `trusted_proxies`: the client is not known before the head.
   */
  judgeAccept(client: IpAddress): Verdict {
    return this.#judge(null, client, this.#limit);
  }

  /** Would `judgeAccept` refuse a connection? Nothing is counted. */
  wouldRefuse(client: IpAddress): boolean {
    return this.#clientPosts.some(({ guard, enforces }) => enforces && !guard.admits(client));
  }

  /**
   * Asks all guards about a request, except those that count connections. In the scope `requests`, a request that is
   * not refused holds a place until `leave`.
   */
  judge(request: GuardedRequest, client: IpAddress): Verdict {
    return this.#judge(request, client, this.#scope === 'requests' ? this.#limit : null);
  }

  /** Refuses a request that avoids this firewall although a server may read its path as one that belongs to it. */
  judgeOtherReading(): Verdict {
    return this.#otherReading.object(FORBIDDEN);
  }

  /** Returns the place of a connection (scope `connections`) or a request (`requests`); call it once for each. */
  leave(client: IpAddress): void {
    this.#limit?.leave(client);
  }

  /** Records the status that a client got. */
  note(client: IpAddress, status: number): void {
    if (this.#ban?.note(client, status) && this.#banFor > 0) {
      this.#observer.event?.({
        what: 'banned',
        client: client.key,
        firewall: this.name,
        forMs: this.#banFor,
      });
    }
  }

  /** Takes a token for a request whose head can't be read; other guards need the head. */
  countUnreadable(client: IpAddress): void {
    this.#rateLimit?.count(client);
  }

  /** Clients that are banned here, or would be if the firewall did not only observe. */
  *bans(): Generator<StandingBan> {
    if (this.#ban === null) return;
    for (const [client, leftMs] of this.#ban.banned()) yield { client, leftMs };
  }

  /** Ends the ban of a client (its `IpAddress.key`); false when it was not banned here. */
  lift(client: string): boolean {
    if (this.#ban?.lift(client) !== true) return false;
    if (this.#banFor > 0) this.#observer.event?.({ what: 'unbanned', client, firewall: this.name });
    return true;
  }

  /**
   * Takes over from another node that a client (an `IpAddress.key`) is banned for `forMs` more, or with 0 that its ban was
   * lifted. No event is emitted: that node has emitted its own.
   */
  adoptBan(client: string, forMs: number): void {
    if (forMs > 0) this.#ban?.adopt(client, forMs);
    else this.#ban?.lift(client);
  }

  /** Which bans these are: the same when another firewall continues them; empty: none. */
  get banIdentity(): string {
    return this.#ban?.identity ?? '';
  }

  /** No firewall continues the bans. */
  endBans(): void {
    this.#ban?.end();
  }

  /** The opinion of each guard, up to the first refusal. Nothing is counted except the token of a rate limit. */
  explain(request: GuardedRequest, client: IpAddress): readonly GuardOpinion[] {
    const opinions: GuardOpinion[] = [];
    for (const { guard } of this.#clientPosts) {
      const status = guard.admits(client) ? 0 : guard.refusal.status;
      opinions.push({ guard: guard.name, status });
      if (status !== 0) return opinions;
    }
    for (const post of this.#requestPosts) {
      const { guard } = post;
      const status = judged(post, request, client)?.status ?? 0;
      opinions.push({ guard: guard.name, status });
      if (status !== 0) return opinions;
    }
    return opinions;
  }

  /**
   * `limit`: whose places are counted here. The place is taken before the guards that follow are asked: between a look and
   * a later step, another thread could take the same one.
   */
  #judge(request: GuardedRequest | null, client: IpAddress, limit: ConnectionLimit | null): Verdict {
    const holds = limit?.enter(client) === true;
    let verdict: Verdict | null = null;
    try {
      verdict = this.#judgeClient(client, limit, holds);
      if (verdict === PASSED && request !== null) verdict = this.#judgeRequest(request, client);
    } finally {
      if (holds && verdict?.refused !== false) limit?.leave(client);
    }
    if (!holds && !verdict.refused) limit?.enterAnyway(client);
    return verdict;
  }

  #judgeClient(client: IpAddress, limit: ConnectionLimit | null, holds: boolean): Verdict {
    for (const post of this.#clientPosts) {
      const { guard } = post;
      if (guard === this.#limit ? limit === null || holds : guard.admits(client)) continue;
      return post.object(guard.refusal);
    }
    return PASSED;
  }

  #judgeRequest(request: GuardedRequest, client: IpAddress): Verdict {
    for (const post of this.#requestPosts) {
      const refusal = judged(post, request, client);
      if (refusal !== null) return post.object(refusal);
    }
    return PASSED;
  }
}

function judged(
  post: GuardPost<RequestGuard>,
  request: GuardedRequest,
  client: IpAddress,
): FirewallRefusal | null {
  try {
    return post.guard.judge(request, client);
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    if (!post.enforces) request.budget.useReserve();
    return UNDECIDED;
  }
}

/** The guards without memory. */
function requestGuards(config: FirewallConfig): readonly (RequestGuard | null)[] {
  const { methodReject, pathReject, headerReject } = config;
  return [
    methodReject.length > 0 ? new MethodGuard(methodReject) : null,
    pathReject.length > 0 ? new PathGuard(pathReject) : null,
    headerReject.length > 0 ? new HeaderGuard(headerReject) : null,
  ];
}

function posts<G extends { readonly name: GuardName }>(
  guards: readonly (G | null)[],
  { name, mode }: FirewallConfig,
  before: Firewall | null,
): GuardPost<G>[] {
  const set = guards.filter((guard) => guard !== null);
  const counts = new Map(before?.counts.map((count) => [count.guard, count]));
  return set.map((guard) => new GuardPost(guard, name, mode === 'enforce', counts.get(guard.name)));
}
