import { Backend } from '../backend/backend.js';
import { LoadLog } from '../backend/load-log.js';
import { Pool, type PoolLimits } from '../backend/pool.js';
import type { ConnectionSupplies } from '../backend/supplies.js';
import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { HealthServices } from '../health/checker.js';
import { ServerHealth } from '../health/server-health.js';
import { Member } from './member.js';
import type { Roster } from './roster.js';
import { Succession, sameServer } from './succession.js';

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
  readonly #log = new LoadLog();
  readonly #members = new Map<string, Member>();
  #groups: ReadonlyMap<GroupConfig, readonly Member[]> = new Map();
  /** Not checked yet. */
  readonly #fresh = new Set<Member>();
  #started = false;
  /** Without new requests, but still with some in flight. */
  readonly #emptying = new Set<Member>();
  /** To be let go of. */
  #leaving: Member[] = [];
  /** As it was when `follow` was called, until it is known that all goes by the new groups. */
  #before: {
    readonly members: ReadonlyMap<string, Member>;
    readonly groups: ReadonlyMap<GroupConfig, readonly Member[]>;
    readonly leaving: Member[];
  } | null = null;
  /** Let go of, and perhaps not closed yet: a connection may outlive the last request on it. */
  readonly #gone = new Set<Member>();

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

  /** Has the servers of these groups, as the roster gives them; `letGo` is to follow, or `goBack`. */
  follow(groups: readonly GroupConfig[]): void {
    this.#before = { members: new Map(this.#members), groups: this.#groups, leaving: this.#leaving };
    const lists = groups.map((group) => [group, this.#roster.serversOf(group)] as const);
    const succession = new Succession(this.#members, lists);
    this.#members.clear();
    const members = new Map<GroupConfig, readonly Member[]>();
    for (const [group, servers] of lists)
      members.set(
        group,
        servers.map((server) => this.#member(server, group, succession)),
      );
    this.#groups = members;
    this.#leaving = [...succession.left];
  }

  /** Undoes `follow`: the roster is to be as it was. */
  goBack(): void {
    if (this.#before === null) return;
    const { members, groups, leaving } = this.#before;
    this.#before = null;
    const kept = new Set(members.values());
    for (const member of this.#fresh) if (!kept.has(member)) this.#fresh.delete(member);
    this.#members.clear();
    for (const [key, member] of members) this.#members.set(key, member);
    this.#groups = groups;
    this.#leaving = leaving;
    for (const [group, list] of groups) {
      const servers = this.#roster.serversOf(group);
      for (const [index, member] of list.entries())
        this.#adjust(member, servers[index] as ServerConfig, group);
    }
    this.instruct();
  }

  #member(server: ServerConfig, group: GroupConfig, succession: Succession): Member {
    const key = sameServer(server, group);
    let member = this.#members.get(key);
    if (member === undefined) {
      member = succession.take(server, group) ?? this.#make(server, group);
      this.#adjust(member, server, group);
      this.#members.set(key, member);
    }
    this.#instruct(member, server);
    return member;
  }

  /** From now on it goes by these terms. */
  #adjust(member: Member, server: ServerConfig, group: GroupConfig): void {
    const { backend, health } = member;
    backend.setLimits(limitsOf(server, group));
    backend.setBackup(server.backup);
    backend.setSlowStart(group.slowStart);
    if (health.follow(group)) this.#fresh.add(member);
  }

  /** Tells every server the weight and availability that the roster has for it now. */
  instruct(): void {
    for (const [group, members] of this.#groups) {
      const servers = this.#roster.serversOf(group);
      for (const [index, member] of members.entries()) this.#instruct(member, servers[index] as ServerConfig);
    }
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

  #make(server: ServerConfig, group: GroupConfig): Member {
    const pool = new Pool(server.address, limitsOf(server, group), this.#supplies, server.name);
    const { weight, backup } = server;
    const { slowStart } = group;
    const terms = { weight, backup, slowStart };
    const backend = new Backend(server.name, pool, this.#supplies.wheel, terms, this.#log);
    if (this.#started) backend.startSlowly();
    // Nothing is on it that could end: nobody is to be told that it is drained.
    backend.setAvailability(this.#roster.availabilityOf(server.name));
    const health = new ServerHealth(backend, group, this.#health);
    const member = new Member(backend, health, this.#health.clock);
    this.#fresh.add(member);
    return member;
  }

  /** Lets go of those that `follow` did not take over: requests on them finish, then their sockets close. */
  letGo(): void {
    this.#before = null;
    for (const member of this.#gone) if (isEmpty(member)) this.#gone.delete(member);
    const leaving = this.#leaving.splice(0);
    for (const member of leaving) {
      this.#fresh.delete(member);
      this.#emptying.add(member);
      this.#gone.add(member);
      member.health.stop();
      member.backend.retire();
    }
    // Behind the last, so that nobody is sent from one of them to another.
    for (const { backend } of leaving) backend.pool.turnAway('removed');
  }

  /** Begins to check those that are not checked yet. Those that come later join others that are at work already. */
  start(): void {
    this.#started = true;
    let index = 0;
    for (const { health } of this.#fresh) health.start((index++ * STAGGER_MS) / this.#fresh.size);
    this.#fresh.clear();
  }

  /** Tells of servers whose last request has ended. */
  tellDrained(): void {
    let names: Set<string> | null = null;
    for (const member of this.#emptying) {
      if (member.backend.active > 0) continue;
      this.#emptying.delete(member);
      names ??= new Set();
      names.add(member.backend.name);
    }
    if (names === null) return;
    // A name may stand for several, of which some are not empty yet.
    for (const { backend } of this.#emptying) names.delete(backend.name);
    for (const name of names) this.#health.observer.serverDrained?.(name);
  }

  /** Stops all checks and cuts all sockets. */
  stop(): void {
    for (const { backend, health } of new Set([...this.#members.values(), ...this.#gone])) {
      health.stop();
      backend.pool.close();
    }
  }
}

function isEmpty({ backend }: Member): boolean {
  return backend.active === 0 && backend.pool.openCount === 0;
}

function limitsOf({ maxConnections }: ServerConfig, { pool, connectTimeout }: GroupConfig): PoolLimits {
  return { ...pool, maxConnections, connectTimeout };
}
