import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { ConnectionDeps, PoolLimits } from '../servers/contracts.js';
import { LoadLog } from '../servers/load-log.js';
import { Pool } from '../servers/pool.js';
import { Server } from '../servers/server.js';
import type { DesiredServers } from './desired-servers.js';
import type { HealthDeps } from './health/checker.js';
import { ServerHealth } from './health/server-health.js';
import { ManagedServer } from './managed-server.js';
import { ServerReuse, serverKey } from './server-reuse.js';

/** First checks are spread over this long at most, so that a dead server is known soon. */
const STAGGER_MS = 1000;

/**
 * The servers of a balancer. What is the same server, with the same name and the same check, is one object wherever
 * the configuration names it, and stays the same object over a reload: with its sockets, its health and its requests.
 */
export class ManagedServers {
  readonly #deps: ConnectionDeps;
  readonly #health: HealthDeps;
  readonly #desired: DesiredServers;
  readonly #log = new LoadLog();
  readonly #members = new Map<string, ManagedServer>();
  #groups: ReadonlyMap<GroupConfig, readonly ManagedServer[]> = new Map();
  /** Not checked yet. */
  readonly #fresh = new Set<ManagedServer>();
  #started = false;
  /** Without new requests, but still with some in flight. */
  readonly #emptying = new Set<ManagedServer>();
  /** To be let go of. */
  #leaving: ManagedServer[] = [];
  /** As it was when `applyGroups` was called, until it is known that all goes by the new groups. */
  #before: {
    readonly members: ReadonlyMap<string, ManagedServer>;
    readonly groups: ReadonlyMap<GroupConfig, readonly ManagedServer[]>;
    readonly leaving: ManagedServer[];
  } | null = null;
  /** Let go of, and perhaps not closed yet: a connection may outlive the last request on it. */
  readonly #gone = new Set<ManagedServer>();

  constructor(deps: ConnectionDeps, health: HealthDeps, desired: DesiredServers) {
    this.#deps = deps;
    this.#health = health;
    this.#desired = desired;
  }

  /** The servers of a group, in order. */
  of(group: GroupConfig): readonly Server[] {
    return this.membersOf(group).map(({ server }) => server);
  }

  membersOf(group: GroupConfig): readonly ManagedServer[] {
    return this.#groups.get(group) ?? [];
  }

  /** Every server, in the order of the groups. */
  get members(): readonly ManagedServer[] {
    return [...new Set([...this.#groups.values()].flat())];
  }

  /** Requests on them now, those on servers that were let go of included. */
  get activeCount(): number {
    const all = new Set([...this.#members.values(), ...this.#emptying]);
    return [...all].reduce((sum, { server }) => sum + server.active, 0);
  }

  /** Has the servers of these groups, as the desired servers say; `letGo` is to follow, or `goBack`. */
  applyGroups(groups: readonly GroupConfig[]): void {
    this.#before = { members: new Map(this.#members), groups: this.#groups, leaving: this.#leaving };
    const lists = groups.map((group) => [group, this.#desired.serversOf(group)] as const);
    const reuse = new ServerReuse(this.#members, lists);
    this.#members.clear();
    const members = new Map<GroupConfig, readonly ManagedServer[]>();
    for (const [group, servers] of lists)
      members.set(
        group,
        servers.map((server) => this.#member(server, group, reuse)),
      );
    this.#groups = members;
    this.#leaving = [...reuse.left];
  }

  /** Undoes `applyGroups`: the desired servers are to be as they were. */
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
      const servers = this.#desired.serversOf(group);
      for (const [index, member] of list.entries())
        this.#adjust(member, servers[index] as ServerConfig, group);
    }
    this.instruct();
  }

  #member(config: ServerConfig, group: GroupConfig, reuse: ServerReuse): ManagedServer {
    const key = serverKey(config, group);
    let member = this.#members.get(key);
    if (member === undefined) {
      member = reuse.take(config, group) ?? this.#make(config, group);
      this.#adjust(member, config, group);
      this.#members.set(key, member);
    }
    this.#instruct(member, config);
    return member;
  }

  /** From now on it goes by these terms. */
  #adjust(member: ManagedServer, config: ServerConfig, group: GroupConfig): void {
    const { server, health } = member;
    server.setLimits(limitsOf(config, group));
    server.setBackup(config.backup);
    server.setSlowStart(group.slowStart);
    if (health.applyTerms(group)) this.#fresh.add(member);
  }

  /** Tells every server the weight and availability that is desired for it now. */
  instruct(): void {
    for (const [group, members] of this.#groups) {
      const servers = this.#desired.serversOf(group);
      for (const [index, member] of members.entries()) this.#instruct(member, servers[index] as ServerConfig);
    }
  }

  #instruct(member: ManagedServer, config: ServerConfig): void {
    const { server } = member;
    const availability = this.#desired.availabilityOf(config.name);
    server.setWeight(this.#desired.weightOf(config));
    if (server.availability === availability) return;
    if (availability === 'ready') this.#emptying.delete(member);
    else this.#emptying.add(member);
    server.setAvailability(availability);
  }

  #make(config: ServerConfig, group: GroupConfig): ManagedServer {
    const pool = new Pool(config.address, limitsOf(config, group), this.#deps, config.name);
    const { weight, backup } = config;
    const { slowStart } = group;
    const terms = { weight, backup, slowStart };
    const server = new Server(config.name, pool, this.#deps.wheel, terms, this.#log);
    if (this.#started) server.startSlowly();
    // Nothing is on it that could end: nobody is to be told that it is drained.
    server.setAvailability(this.#desired.availabilityOf(config.name));
    const health = new ServerHealth(server, group, this.#health);
    const member = new ManagedServer(server, health, this.#health.clock);
    this.#fresh.add(member);
    return member;
  }

  /** Lets go of those that `applyGroups` did not take over: requests on them finish, then their sockets close. */
  letGo(): void {
    this.#before = null;
    for (const member of this.#gone) if (isEmpty(member)) this.#gone.delete(member);
    const leaving = this.#leaving.splice(0);
    for (const member of leaving) {
      this.#fresh.delete(member);
      this.#emptying.add(member);
      this.#gone.add(member);
      member.health.stop();
      member.server.retire();
    }
    // Behind the last, so that nobody is sent from one of them to another.
    for (const { server } of leaving) server.pool.turnAway('removed');
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
    if (this.#emptying.size === 0) return;
    let names: Set<string> | null = null;
    for (const member of this.#emptying) {
      if (member.server.active > 0) continue;
      this.#emptying.delete(member);
      names ??= new Set();
      names.add(member.server.name);
    }
    if (names === null) return;
    // A name may stand for several, of which some are not empty yet.
    for (const { server } of this.#emptying) names.delete(server.name);
    for (const name of names) this.#health.observer.event?.({ what: 'drained', server: name });
  }

  /** Stops all checks and cuts all sockets. */
  stop(): void {
    for (const { server, health } of new Set([...this.#members.values(), ...this.#gone])) {
      health.stop();
      server.pool.close();
    }
  }
}

function isEmpty({ server }: ManagedServer): boolean {
  return server.active === 0 && server.pool.openCount === 0;
}

function limitsOf({ maxConnections }: ServerConfig, { pool, connectTimeout }: GroupConfig): PoolLimits {
  return { ...pool, maxConnections, connectTimeout };
}
