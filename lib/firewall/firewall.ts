import { identityOf } from '../base/identity.js';
import type { IpAddress } from '../base/ip-address.js';
import type { Observer } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { BudgetExhausted } from '../base/work-budget.js';
import type { FirewallConfig } from '../config/types.js';
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
import { type GuardCounts, GuardPost, PASSED, type Verdict } from './verdict.js';

/**
 * What `max_connections_per_ip` counts, and whether `judgeAccept` is ever asked: connections for the firewall that
 * stands before all routes, requests in flight for one of a route.
 */
export type FirewallScope = 'connections' | 'requests';

/** What a guard thinks of a request, for showing it. */
export interface GuardOpinion {
  readonly guard: GuardName;
  /** 0 when it has no objection. */
  readonly status: number;
}

/** A client that is refused for what it did. */
export interface StandingBan {
  /** Its `IpAddress.key`. */
  readonly client: string;
  readonly leftMs: number;
}

const OTHER_READING = { name: 'other_reading' } as const;

/** Called when a ban begins, and when an operator lifts one. */
type BanListener = Pick<Observer, 'event'>;

/**
 * The guards of one place in the configuration, in the order of their settings; the first objection decides. It
 * keeps what they must remember, so there is one for each `FirewallConfig`, however many routes share it.
 */
export class Firewall {
  readonly config: FirewallConfig;
  readonly #scope: FirewallScope;
  /** Of the settings that are given; those that need no head come first. */
  readonly #clientPosts: readonly GuardPost<ClientGuard>[];
  readonly #requestPosts: readonly GuardPost<RequestGuard>[];
  /** For requests that go elsewhere; it counts, and asks nothing. */
  readonly #otherReading: GuardPost<{ readonly name: 'other_reading' }>;
  readonly #limit: ConnectionLimit | null;
  readonly #ban: Ban | null;
  readonly #rateLimit: RateLimit | null;
  /** ms that a ban lasts; 0 when it is only observed: then nobody is told. */
  readonly #banFor: number;
  readonly #observer: BanListener;

  /**
   * `before` is the firewall that stood in the same place until now. Counts go on, places stay taken, and a ban or a rate
   * limit whose own settings are the same goes on with what it knows of clients.
   */
  constructor(
    config: FirewallConfig,
    scope: FirewallScope,
    clock: Clock,
    observer: BanListener = {},
    before: Firewall | null = null,
  ) {
    const { ipReject, ipAllow, maxConnectionsPerIp, ban, rateLimit, mode } = config;
    this.config = config;
    this.#observer = observer;
    this.#banFor = ban === null || mode === 'observe' ? 0 : ban.for;
    this.#scope = scope;
    this.#limit =
      maxConnectionsPerIp > 0
        ? new ConnectionLimit(maxConnectionsPerIp, before === null ? null : before.#limit)
        : null;
    const keepsBans = before !== null && identityOf(ban) === identityOf(before.config.ban);
    this.#ban = keepsBans ? before.#ban : ban && new Ban(ban, clock);
    const keepsBuckets = before !== null && identityOf(rateLimit) === identityOf(before.config.rateLimit);
    this.#rateLimit = keepsBuckets ? before.#rateLimit : rateLimit && new RateLimit(rateLimit, clock);
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

  /** For each guard that is set, in order; the same objects all the time. The last one once it has objected. */
  get counts(): readonly GuardCounts[] {
    const { counts } = this.#otherReading;
    const set = [...this.#clientPosts, ...this.#requestPosts].map((post) => post.counts);
    return counts.refused + counts.observed > 0 ? [...set, counts] : set;
  }

  /**
   * Asks the guards that need no head about a connection. A connection that is not refused has a place until
   * `leave`. Not for the peers in `trusted_proxies`: whom they speak for is not known before the head.
   */
  judgeAccept(client: IpAddress): Verdict {
    const verdict = this.#judgeClient(client, true);
    if (!verdict.refused) this.#limit?.enter(client);
    return verdict;
  }

  /**
   * Asks all guards about a request (those that count connections excepted). In the scope `requests`, one that is not
   * refused has a place until `leave`.
   */
  judge(request: GuardedRequest, client: IpAddress): Verdict {
    const countsRequests = this.#scope === 'requests';
    const byClient = this.#judgeClient(client, countsRequests);
    const verdict = byClient === PASSED ? this.#judgeRequest(request, client) : byClient;
    if (countsRequests && !verdict.refused) this.#limit?.enter(client);
    return verdict;
  }

  /** Objects to a request that goes past this firewall, while a server may read its path as one that leads through it. */
  judgeOtherReading(): Verdict {
    return this.#otherReading.object(FORBIDDEN);
  }

  /** Gives back the place of a connection (scope `connections`) or a request (`requests`), once for each. */
  leave(client: IpAddress): void {
    this.#limit?.leave(client);
  }

  /** Tells of the status that a client was answered. */
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

  /** Takes a token for a request whose head can't be read; no other guard can say anything of that. */
  countUnreadable(client: IpAddress): void {
    this.#rateLimit?.count(client);
  }

  /** Clients that are banned here; those that would be, where it only observes. */
  *bans(): Generator<StandingBan> {
    if (this.#ban === null) return;
    for (const [client, leftMs] of this.#ban.standing()) yield { client, leftMs };
  }

  /** Lets a client (its `IpAddress.key`) in again; false when it was not banned here. */
  lift(client: string): boolean {
    if (this.#ban?.lift(client) !== true) return false;
    if (this.#banFor > 0) this.#observer.event?.({ what: 'unbanned', client, firewall: this.name });
    return true;
  }

  /** What each guard thinks, up to the first that objects. Nothing is counted but the token of a rate limit. */
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

  #judgeClient(client: IpAddress, countsPlaces: boolean): Verdict {
    for (const post of this.#clientPosts) {
      if (!countsPlaces && post.guard === this.#limit) continue;
      if (!post.guard.admits(client)) return post.object(post.guard.refusal);
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

/** Those that remember nothing. */
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
