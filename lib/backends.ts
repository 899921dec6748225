import { Backend } from './backend/backend.js';
import { Pool, type PoolLimits } from './backend/pool.js';
import type { ConnectionSupplies } from './backend/supplies.js';
import { addressKey } from './base/address.js';
import type { GroupConfig, ServerConfig } from './config/types.js';
import { Checker, type HealthServices } from './health/checker.js';
import { Member } from './member.js';
import type { Roster } from './roster.js';

/** First checks are spread over this long at most, so that a dead server is known soon. */
const STAGGER_MS = 1000;

/**
 * The servers of a balancer. What is the same server, with the same name and the same check, is one object wherever
 * the configuration names it, and stays the same object over a reload: with its sockets, its health and its requests.
 */
export class Backends {
  readonly #supplies: ConnectionSupplies;
  readonly #health: HealthServices;
  readonly #roster: Roster;
  readonly #members = new Map<string, Member>();
  #groups: ReadonlyMap<GroupConfig, readonly Member[]> = new Map();
  /** Not checked yet. */
  readonly #fresh = new Set<Member>();
  /** Without new requests, but still with some in flight. */
  readonly #emptying = new Set<Member>();

  constructor(supplies: ConnectionSupplies, health: HealthServices, roster: Roster) {
    this.#supplies = supplies;
    this.#health = health;
    this.#roster = roster;
  }

  /** The servers of a group, in order. */
  of(group: GroupConfig): readonly Backend[] {
    return this.membersOf(group).map(({ backend }) => backend);
  }

  membersOf(group: GroupConfig): readonly Member[] {
    return this.#groups.get(group) ?? [];
  }

  /** Every server, in the order of the groups. */
  get members(): readonly Member[] {
    return [...new Set([...this.#groups.values()].flat())];
  }

  /** Requests on them now, those on servers that were let go of included. */
  get activeCount(): number {
    const all = new Set([...this.#members.values(), ...this.#emptying]);
    return [...all].reduce((sum, { backend }) => sum + backend.active, 0);
  }

  /**
   * Has the servers of these groups, as the roster gives them, and lets go of all others: requests on those finish,
   * then their sockets close.
   */
  follow(groups: readonly GroupConfig[]): void {
    const variants = new Variants();
    const before = new Map(this.#members);
    this.#members.clear();
    const members = new Map<GroupConfig, readonly Member[]>();
    for (const group of groups) {
      const list = this.#roster.serversOf(group).map((server) => {
        const limits = limitsOf(server, group);
        const key = variants.keyOf(server, group, limits);
        const member = this.#members.get(key) ?? before.get(key) ?? this.#make(server, group, limits);
        before.delete(key);
        this.#members.set(key, member);
        member.backend.pool.setLimits(limits);
        this.#instruct(member, server);
        return member;
      });
      members.set(group, list);
    }
    this.#groups = members;
    for (const member of before.values()) this.#retire(member);
    this.#tellDrained();
  }

  /** What follows from the roster for servers that stay where they are. */
  instruct(): void {
    for (const [group, members] of this.#groups) {
      const servers = this.#roster.serversOf(group);
      for (const [index, member] of members.entries()) this.#instruct(member, servers[index] as ServerConfig);
    }
    this.#tellDrained();
  }

  #instruct(member: Member, server: ServerConfig): void {
    const { backend } = member;
    const availability = this.#roster.availabilityOf(server.name);
    backend.setWeight(this.#roster.weightOf(server));
    if (backend.availability === availability) return;
    if (availability === 'ready') this.#emptying.delete(member);
    else this.#emptying.add(member);
    backend.setAvailability(availability);
  }

  #make(server: ServerConfig, { healthCheck: check }: GroupConfig, limits: PoolLimits): Member {
    const pool = new Pool(server.address, limits, this.#supplies, server.name);
    const backend = new Backend(server.name, pool, this.#supplies.wheel);
    const checker = check === null ? null : new Checker(backend, check, this.#health);
    const member = new Member(backend, checker, this.#health.clock);
    this.#fresh.add(member);
    return member;
  }

  #retire(member: Member): void {
    this.#fresh.delete(member);
    this.#emptying.add(member);
    member.checker?.stop();
    member.backend.pool.retire();
  }

  /** Begins to check those that are not checked yet. */
  start(): void {
    let index = 0;
    for (const { checker } of this.#fresh) checker?.start((index++ * STAGGER_MS) / this.#fresh.size);
    this.#fresh.clear();
  }

  /** A request has ended somewhere. */
  onSettled(): void {
    if (this.#emptying.size > 0) this.#tellDrained();
  }

  #tellDrained(): void {
    for (const member of this.#emptying) {
      if (member.backend.active > 0) continue;
      this.#emptying.delete(member);
      const { name } = member.backend;
      const isLast = ![...this.#emptying].some(({ backend }) => backend.name === name);
      if (isLast) this.#health.observer.serverDrained?.(name);
    }
  }

  /** Stops all checks and cuts all sockets. */
  stop(): void {
    for (const { backend, checker } of new Set([...this.#members.values(), ...this.#emptying])) {
      checker?.stop();
      backend.pool.close();
    }
  }
}

function limitsOf({ maxConnections }: ServerConfig, { pool, connectTimeout }: GroupConfig): PoolLimits {
  return { ...pool, maxConnections, connectTimeout };
}

/**
 * Tells servers apart. Two groups may ask different things of one address, and what one finds must not decide for the
 * other. Weights and limits are not what makes a server: when they change it is the same one. Only where groups
 * disagree on them at the same time are there two.
 */
class Variants {
  readonly #seen = new Map<string, string[]>();

  keyOf({ address, name }: ServerConfig, { healthCheck }: GroupConfig, limits: PoolLimits): string {
    const server = JSON.stringify([addressKey(address), name, healthCheck]);
    const terms = JSON.stringify(limits);
    const seen = this.#seen.get(server) ?? [];
    this.#seen.set(server, seen);
    if (!seen.includes(terms)) seen.push(terms);
    return `${seen.indexOf(terms)} ${server}`;
  }
}
