import type { Test } from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { SharedConfig } from '../../lib/config/types.js';
import { FleetLink } from '../../lib/fleet/fleet-link.js';
import { openRedis } from '../../lib/fleet/redis-client.js';
import { SharedAcme } from '../../lib/fleet/shared-acme.js';
import type { ChallengeOffer } from '../../lib/tls/acme-protocol.js';
import type { AcmeStore, AcmeStoreUser, OpenAcmeStore } from '../../lib/tls/acme-store.js';
import { rest, until } from '../support/loop-ticks.js';
import { JumpClock } from '../tls/acme-rig.js';

/** Who uses a store in a test, and what it was told. */
export class StoreUser implements AcmeStoreUser {
  readonly warnings: string[] = [];
  offers: readonly ChallengeOffer[] = [];
  /** Asked for each news which of these names are concerned. */
  readonly hosts: readonly (readonly string[])[];
  readonly news: string[] = [];
  /** Challenges are answered when this resolves. */
  hold: Promise<void> = Promise.resolve();

  constructor(...hosts: readonly string[][]) {
    this.hosts = hosts;
  }

  warn(message: string): void {
    this.warnings.push(message);
  }

  onNews(concerns: (hosts: readonly string[]) => boolean): void {
    for (const hosts of this.hosts) if (concerns(hosts)) this.news.push(hosts.join(' '));
  }

  async onChallenges(offers: readonly ChallengeOffer[]): Promise<void> {
    await this.hold;
    this.offers = offers;
  }
}

export interface AcmeNodeOptions {
  readonly clock?: JumpClock;
  readonly node?: string;
  /** More of `shared` in its settings. */
  readonly terms?: object;
}

/** A node as Redis sees it: a connection, and what of ACME goes over it. It looks every 20 ms. */
export class AcmeNode {
  readonly clock: JumpClock;
  readonly link: FleetLink;
  readonly shared: SharedAcme;
  readonly #stop: () => void;

  private constructor(link: FleetLink, shared: SharedAcme, clock: JumpClock) {
    this.link = link;
    this.shared = shared;
    this.clock = clock;
    this.#stop = clock.every(20, () => {
      if (link.state === 'shared') shared.round().catch(() => {});
    });
  }

  static async start(
    t: Test,
    redis: string | readonly string[],
    options: AcmeNodeOptions = {},
  ): Promise<AcmeNode> {
    const { clock = new JumpClock(), node = 'node', terms = {} } = options;
    const settings = { redis: redis as string, timeout: '10s', ...terms };
    const config = createConfig({ listen: 80, servers: [1], shared: settings });
    const link: FleetLink = new FleetLink({
      clock,
      // What is not answered is waited for.
      wheel: { readUntil: 0 },
      timeout: 10_000,
      observer: {},
      onState: (state) => shared.noteState(state),
    });
    const shared = new SharedAcme(link, { clock, prefix: 'lb', node });
    link.use(await openRedis(config.shared as SharedConfig, () => {}));
    const started = new AcmeNode(link, shared, clock);
    t.teardown(() => started.stop());
    await started.answered();
    return started;
  }

  /** Waits until Redis answers, and shares from then on. */
  async answered(): Promise<void> {
    const ping = (): Promise<void> =>
      this.link.call('PING', []).then(
        () => this.link.noteGood(),
        () => rest(20),
      );
    await until(() => this.link.state === 'shared', 'Redis answers', ping);
  }

  open(store: string, user: AcmeStoreUser, directory = 'https://ca.example/dir'): AcmeStore {
    return this.shared.open({ store, directory }, user);
  }

  get openStore(): OpenAcmeStore {
    return this.shared.open;
  }

  /** As a node that is killed: it says nothing more. */
  stop(): void {
    this.#stop();
    this.link.leave();
    this.link.close();
  }
}
