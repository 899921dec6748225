import { createHmac, randomBytes } from 'node:crypto';
import type { BalancerEvent, Observer } from '../base/observer.js';
import type { Clock, TimerWheel } from '../base/timer-wheel.js';
import type { SharedConfig } from '../config/types.js';
import type { LiveFleet } from '../observe/fleet-families.js';
import type { ClientTables } from '../shared/client-tables.js';
import { FleetLink, type LinkState } from './fleet-link.js';
import { BEAT_SCRIPT, type FleetNode, Heartbeat } from './heartbeat.js';
import { JointScripts } from './joint-scripts.js';
import { LEASE_SCRIPT, RedisLeaseBank } from './lease-bank.js';
import { LeaseKeeper } from './lease-keeper.js';
import { openRedis, type RedisClient } from './redis-client.js';
import { SharedAcme } from './shared-acme.js';
import { BANS_SCRIPT, type BanSubject, SharedBans } from './shared-bans.js';
import { BINDINGS_SCRIPT, SharedBindings } from './shared-bindings.js';

/** ms between two rounds of questions to Redis. */
export const ROUND_MS = 50;
/** ms between two signs of life; while Redis is lost, between two tries. */
const BEAT_MS = 1000;
const TRY_MS = 250;
/** ms between two looks at what other nodes have told: bans, sticky values and certificates. A ban of this node does not wait for one. */
const LOOK_MS = 200;
/** How much earlier a look comes, in ms, where the round has to ask for tokens anyway. */
const EARLIER_MS = 100;
/** The period over which the requests to a node are measured, in ms. */
const RATE_MS = 5000;
/** What a round asks for in one call. */
const JOINED = [LEASE_SCRIPT, BEAT_SCRIPT, BANS_SCRIPT, BINDINGS_SCRIPT];
/** How long a node that stops waits for Redis, in ms, whatever `timeout` is. */
const LEAVE_MS = 1000;

/** What is shared with other nodes, and how that is going. */
export interface FleetStatus extends LiveFleet {
  readonly state: LinkState;
  /** This node. */
  readonly node: string;
  readonly prefix: string;
  readonly nodes: readonly FleetNode[];
  /** Why it is lost; empty: it is not. */
  readonly error: string;
  /** ms that answers of Redis took lately. */
  readonly latencyMs: number;
}

export interface FleetDeps {
  readonly clock: Clock;
  readonly wheel: Pick<TimerWheel, 'readUntil'>;
  readonly observer: Pick<Observer, 'event'>;
  /** What clients have used up in this node. */
  readonly clients: ClientTables;
  readonly bans: BanSubject;
  /** Requests of clients since the start. */
  readonly requests: () => number;
  /** What this balancer is called: the name of the node, unless the settings have another. */
  readonly instance: string;
  /** By default a connection as the settings say. */
  readonly open?: (config: SharedConfig, onError: (message: string) => void) => Promise<RedisClient>;
}

/**
 * What this node shares with others through Redis: the control plane has one, in the main thread. No request waits for
 * it.
 */
export class Fleet {
  readonly #config: SharedConfig;
  readonly #deps: FleetDeps;
  readonly #link: FleetLink;
  readonly #scripts: JointScripts;
  readonly #name: string;
  readonly #heartbeat: Heartbeat;
  readonly #keeper: LeaseKeeper;
  readonly #bans: SharedBans;
  readonly #bindings: SharedBindings;
  /** Certificates that are ordered. */
  readonly acme: SharedAcme;
  #stopTicks: (() => void) | null = null;
  #stopped = false;
  #beatAt = 0;
  #lookAt = 0;
  #isBeating = false;
  /** Requests per second, of the last seconds. */
  #rate = 0;
  #counted = 0;
  #countedAt: number;

  constructor(config: SharedConfig, deps: FleetDeps) {
    this.#config = config;
    this.#deps = deps;
    const { clock, wheel, observer, clients } = deps;
    const { prefix, timeout } = config;
    const isCluster = config.kind === 'cluster';
    this.#countedAt = clock.now();
    this.#name = config.node ?? deps.instance;
    this.#heartbeat = new Heartbeat(prefix, this.#name, randomBytes(4).toString('hex'));
    this.#link = new FleetLink({ clock, wheel, timeout, observer, onState: () => this.#stateChanged() });
    this.#scripts = new JointScripts(this.#link, JOINED);
    const bank = new RedisLeaseBank(this.#scripts, prefix, isCluster);
    this.#keeper = new LeaseKeeper(clients.rates, clients.leases, bank);
    this.#bans = new SharedBans(this.#scripts, prefix, deps.bans);
    const { bindings, news } = clients;
    this.#bindings = new SharedBindings(this.#scripts, prefix, isCluster, bindings, news);
    this.acme = new SharedAcme(this.#link, { clock, prefix, node: this.#name });
    // Until Redis answers, nobody knows what others have let through.
    clients.leases.setMode('apart', this.nodeCount);
  }

  /** Does not wait for Redis. Does nothing after `stop`. */
  start(): void {
    if (this.#stopped) return;
    const { clock, open = openRedis } = this.#deps;
    open(this.#config, (message) => this.#link.noteConnectError(message)).then(
      (client) => {
        if (this.#stopped) client.close();
        else this.#link.use(client);
      },
      (error: Error) => this.#link.noteConnectError(error.message),
    );
    this.#stopTicks = clock.every(ROUND_MS, () => this.#tick());
  }

  /** The share of a limit that is this node's when it is alone: the limit divided by this. */
  get nodeCount(): number {
    return Math.max(this.#config.nodes, this.#heartbeat.nodes.length, 1);
  }

  get status(): FleetStatus {
    const { state, error, latency, commands, errors, answerMs, answers } = this.#link;
    return {
      state,
      node: this.#name,
      prefix: this.#config.prefix,
      nodes: this.#heartbeat.nodes,
      error,
      latencyMs: Math.round(latency * 100) / 100,
      commands,
      errors,
      answerSeconds: answerMs / 1000,
      answers,
      keys: this.#keeper.count,
      leased: this.#keeper.leased,
      returned: this.#keeper.returned,
    };
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopTicks?.();
    this.#link.leave();
    if (this.#link.state !== 'shared') {
      this.#link.close();
      return;
    }
    const timer = setTimeout(() => this.#link.close(), LEAVE_MS);
    void this.#heartbeat
      .leave(this.#link)
      .catch(() => {})
      .finally(() => {
        clearTimeout(timer);
        this.#link.close();
      });
  }

  #tick(): void {
    const now = this.#deps.clock.now();
    this.#link.tick();
    const isShared = this.#link.state === 'shared';
    // The keys of a cluster are on several servers.
    if (isShared && this.#config.kind !== 'cluster') this.#scripts.collect();
    if (now >= this.#beatAt && !this.#isBeating) void this.#beat(now);
    if (isShared) this.#round(now);
    this.#scripts.send();
  }

  /** An event of this node: bans are for all nodes. */
  note(event: BalancerEvent): void {
    if (event.what !== 'banned' && event.what !== 'unbanned') return;
    const { client, firewall } = event;
    this.#bans.note({ client, firewall, forMs: event.what === 'banned' ? event.forMs : 0 });
    // Without waiting for the next look.
    this.#lookAt = 0;
  }

  /** What fails is noted by the link, which ends the sharing. */
  #round(now: number): void {
    const ignore = (): void => {};
    this.#keeper.round(now).catch(ignore);
    if (now < this.#lookAt - (this.#scripts.isAsked ? EARLIER_MS : 0)) return;
    this.#lookAt = now + LOOK_MS;
    this.#bans.round().catch(ignore);
    this.acme.round().catch(ignore);
    this.#bindings.round(now).catch(ignore);
  }

  async #beat(now: number): Promise<void> {
    this.#isBeating = true;
    this.#beatAt = now + (this.#link.state === 'shared' ? BEAT_MS : TRY_MS);
    try {
      await this.#heartbeat.beat(this.#scripts, this.#measure(now));
      if (this.#stopped) return;
      this.#link.noteGood();
      this.#setMode();
    } catch {
      // The link has noted why; it is tried again.
    } finally {
      this.#isBeating = false;
    }
  }

  #measure(now: number): number {
    const count = this.#deps.requests();
    const elapsed = now - this.#countedAt;
    if (elapsed > 0) {
      const rate = ((count - this.#counted) * 1000) / elapsed;
      this.#rate += (rate - this.#rate) * Math.min(1, elapsed / RATE_MS);
    }
    this.#counted = count;
    this.#countedAt = now;
    return this.#rate;
  }

  #stateChanged(): void {
    if (this.#link.state === 'lost') this.#beatAt = this.#deps.clock.now() + TRY_MS;
    this.#setMode();
    if (this.#link.state === 'shared') this.#bans.begin();
    else this.#keeper.end(this.#deps.clock.now());
    this.acme.noteState(this.#link.state);
  }

  #setMode(): void {
    const { leases } = this.#deps.clients;
    leases.setMode(this.#link.state === 'shared' ? 'shared' : 'apart', this.nodeCount);
  }
}

/**
 * The key of all hashes of clients, the same in all nodes that share: it follows from the prefix and the password, so
 * that nobody without the password can find two clients with the same hash.
 */
export function fleetSeed({ prefix, password, redis }: SharedConfig): readonly [number, number] {
  const secret = password ?? decodeURIComponent(new URL(redis[0] as string).password);
  const digest = createHmac('sha256', secret).update(`lb ${prefix}`).digest();
  return [digest.readInt32LE(0), digest.readInt32LE(4)];
}
