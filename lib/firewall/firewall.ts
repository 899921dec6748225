import type { Clock } from '../base/clock.js';
import type { IpAddress } from '../base/ip-address.js';
import type { Observer } from '../base/observer.js';
import { BudgetExhausted } from '../base/work-budget.js';
import type { FirewallConfig } from '../config/types.js';
import { IpAllow, IpReject } from './address-list.js';
import { Ban } from './ban.js';
import { ConnectionLimit } from './connection-limit.js';
import {
  type ClientGuard,
  type GuardedRequest,
  type GuardName,
  type Refusal,
  type RequestGuard,
  UNDECIDED,
} from './guard.js';
import { HeaderGuard } from './header-guard.js';
import { MethodGuard } from './method-guard.js';
import { PathGuard } from './path-guard.js';
import { RateLimit } from './rate-limit.js';
import { type GuardCounts, PASSED, Post, type Verdict } from './verdict.js';

/**
 * What `max_connections_per_ip` counts, and whether `judgeAccept` is ever asked: connections for the firewall that
 * stands before all routes, requests in flight for one of a route.
 */
export type FirewallScope = 'connections' | 'requests';

/** What a guard thinks of a request, for showing it. */
export interface Opinion {
  readonly guard: GuardName;
  /** 0 when it has no objection. */
  readonly status: number;
}

/**
 * The guards of one place in the configuration, in the order of their settings; the first objection decides. It
 * keeps what they must remember, so there is one for each `FirewallConfig`, however many routes share it.
 */
export class Firewall {
  readonly name: string;
  readonly #scope: FirewallScope;
  /** Of the settings that are given; those that need no head come first. */
  readonly #clientPosts: readonly Post<ClientGuard>[];
  readonly #requestPosts: readonly Post<RequestGuard>[];
  readonly #limit: ConnectionLimit | null;
  readonly #ban: Ban | null;
  /** ms that a ban lasts; 0 when it is only observed: then nobody is told. */
  readonly #banFor: number;
  readonly #observer: Pick<Observer, 'banned'>;

  constructor(
    config: FirewallConfig,
    scope: FirewallScope,
    clock: Clock,
    observer: Pick<Observer, 'banned'> = {},
  ) {
    const { name, ipReject, ipAllow, maxConnectionsPerIp, ban, mode } = config;
    this.name = name;
    this.#observer = observer;
    this.#banFor = ban === null || mode === 'observe' ? 0 : ban.for;
    this.#scope = scope;
    this.#limit = maxConnectionsPerIp > 0 ? new ConnectionLimit(maxConnectionsPerIp) : null;
    this.#ban = ban && new Ban(ban, clock);
    const clientGuards: readonly (ClientGuard | null)[] = [
      ipReject.length > 0 ? new IpReject(ipReject) : null,
      ipAllow && new IpAllow(ipAllow),
      this.#limit,
      this.#ban,
    ];
    this.#clientPosts = posts(clientGuards, config);
    this.#requestPosts = posts(requestGuards(config, clock), config);
  }

  /** For each guard that is set, in order; the same objects all the time. */
  get counts(): readonly GuardCounts[] {
    return [...this.#clientPosts, ...this.#requestPosts].map((post) => post.counts);
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

  /** Gives back the place of a connection (scope `connections`) or a request (`requests`), once for each. */
  leave(client: IpAddress): void {
    this.#limit?.leave(client);
  }

  /** Tells of the status that a client was answered. */
  note(client: IpAddress, status: number): void {
    if (this.#ban?.note(client, status) && this.#banFor > 0) {
      this.#observer.banned?.(client.key, this.name, this.#banFor);
    }
  }

  /** What each guard thinks, up to the first that objects. Nothing is counted but the token of a rate limit. */
  explain(request: GuardedRequest, client: IpAddress): readonly Opinion[] {
    const opinions: Opinion[] = [];
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

function judged(post: Post<RequestGuard>, request: GuardedRequest, client: IpAddress): Refusal | null {
  try {
    return post.guard.judge(request, client);
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    if (!post.enforces) request.budget.useReserve();
    return UNDECIDED;
  }
}

function requestGuards(config: FirewallConfig, clock: Clock): readonly (RequestGuard | null)[] {
  const { methodReject, pathReject, headerReject, rateLimit } = config;
  return [
    methodReject.length > 0 ? new MethodGuard(methodReject) : null,
    pathReject.length > 0 ? new PathGuard(pathReject) : null,
    headerReject.length > 0 ? new HeaderGuard(headerReject) : null,
    rateLimit && new RateLimit(rateLimit, clock),
  ];
}

function posts<G extends { readonly name: GuardName }>(
  guards: readonly (G | null)[],
  { name, mode }: FirewallConfig,
): Post<G>[] {
  const set = guards.filter((guard) => guard !== null);
  return set.map((guard) => new Post(guard, name, mode === 'enforce'));
}
