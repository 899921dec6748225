import { Admin } from '../admin/admin.js';
import type { AdminDeps } from '../admin/admin-target.js';
import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import type { AdminConfig } from '../config/types.js';
import type { Balancer } from '../control/balancer-contract.js';
import type { InheritedSockets } from '../net/inherited-sockets.js';
import type { ListeningSocket } from '../net/listeners.js';
import { Exposition } from '../observe/exposition.js';
import type { ConsoleLog } from './console-log.js';
import type { EventFeed } from './event-feed.js';
import type { Reload } from './reload.js';
import type { RequestLog } from './request-log.js';
import type { StartSettings } from './start-settings.js';
import type { Upgrade } from './upgrade/upgrade.js';

/** What the admin listener needs. */
export interface AdminDoorDeps {
  readonly balancer: Balancer;
  readonly reload: Reload;
  readonly log: RequestLog;
  readonly feed: EventFeed;
  readonly consoleLog: ConsoleLog;
  /** Sockets that this process was started with. */
  readonly inherited: InheritedSockets;
  readonly upgrade: Upgrade | null;
}

/** The admin listener of a running program, and what it offers beyond the balancer. */
export class AdminDoor {
  readonly #plan: StartSettings;
  readonly #config: AdminConfig;
  readonly #admin: Admin;
  #exposition: Exposition | null = null;

  constructor(plan: StartSettings, config: AdminConfig) {
    this.#plan = plan;
    this.#config = config;
    this.#admin = new Admin(config);
  }

  get observer(): Observer {
    return this.#admin.observer;
  }

  get address(): Address {
    return this.#admin.address;
  }

  /** What another process needs to go on with the socket. */
  get socket(): ListeningSocket | null {
    return this.#admin.socket;
  }

  /** Another process goes on with the socket. */
  leave(): Promise<void> {
    return this.#admin.leave();
  }

  /** Rejects with the system's error when the address can't be bound. */
  async open({ balancer, reload, log, feed, consoleLog, inherited, upgrade }: AdminDoorDeps): Promise<void> {
    const exposition = new Exposition({
      metrics: balancer.metrics,
      live: () => balancer.figureSteps(),
      droppedLines: () => log.dropped,
      droppedEvents: () => feed.dropped,
    });
    this.#exposition = exposition;
    const services: AdminDeps = {
      reload: this.#plan.file === null ? null : () => reload.run(),
      metrics: async () => ({ type: exposition.contentType, body: exposition.stream() }),
      inherited,
      upgrade: upgrade === null ? null : (patience) => upgrade.run(patience),
      report: (error) => consoleLog.warn(`admin: ${error instanceof Error ? error.stack : String(error)}`),
    };
    try {
      await this.#admin.open(balancer, services, this.#config.listen, balancer.adminTerms);
    } catch (error) {
      const { listen } = this.#config;
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      // The port of the demo was not asked for, so another one will do.
      if (!this.#plan.isDemo || listen.kind !== 'tcp' || !isTaken) throw error;
      await this.#admin.open(balancer, services, { ...listen, port: 0 }, balancer.adminTerms);
    }
  }

  close(): void {
    this.#admin.close();
    this.#exposition?.close();
  }
}
