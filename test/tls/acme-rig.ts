import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Test } from 'tap';
import type { BalancerEvent, Observer } from '../../lib/base/observer.js';
import type { Clock } from '../../lib/base/timer-wheel.js';
import { AcmeChallenges } from '../../lib/tls/acme-challenges.js';
import { AcmeManager } from '../../lib/tls/acme-manager.js';
import type { AcmeTerms } from '../../lib/tls/acme-ordering.js';
import { rest, until } from '../support/loop-ticks.js';

/** The time of the machine, and what a test adds to it. Ticks come after each jump, and every 20 ms of the machine's time. */
export class JumpClock implements Clock {
  #ahead = 0;
  readonly #ticks = new Set<() => void>();

  now(): number {
    return performance.now() + this.#ahead;
  }

  wall(): number {
    return Date.now() + this.#ahead;
  }

  every(_ms: number, tick: () => void): () => void {
    const own = (): void => tick();
    this.#ticks.add(own);
    const timer = setInterval(own, 20).unref();
    return () => {
      clearInterval(timer);
      this.#ticks.delete(own);
    };
  }

  /** Moves on, and ticks once. */
  jump(ms: number): void {
    this.#ahead += ms;
    for (const tick of [...this.#ticks]) tick();
  }
}

/** What an observer was told of certificates, and in warnings. */
export class Told implements Observer {
  readonly events: BalancerEvent[] = [];

  event(event: BalancerEvent): void {
    this.events.push(event);
  }

  /** Resolves with the `count`-th event of this kind, from 1. */
  async next<What extends BalancerEvent['what']>(
    what: What,
    count = 1,
  ): Promise<Extract<BalancerEvent, { what: What }>> {
    await until(
      () => this.count(what) >= count,
      `${what} for the ${count}. time; told: ${this.warnings.join('; ')}`,
    );
    return this.events.filter((event) => event.what === what)[count - 1] as Extract<
      BalancerEvent,
      { what: What }
    >;
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => (event.what === 'warning' ? [event.message] : []));
  }

  count(what: BalancerEvent['what']): number {
    return this.events.filter((event) => event.what === what).length;
  }
}

/** A manager with two small servers that answer challenges from its table. */
export interface Rig {
  readonly challenges: AcmeChallenges;
  readonly httpPort: number;
  readonly tlsPort: number;
  /** Paths that were asked for on the HTTP port. */
  readonly asked: string[];
  /** Starts a manager, with a clock and an observer of its own unless they are given. */
  manager(terms: Partial<AcmeTerms> & Pick<AcmeTerms, 'directory' | 'store'>, clock?: Clock): Managed;
}

export interface Managed {
  readonly manager: AcmeManager;
  readonly clock: JumpClock;
  readonly told: Told;
  /** Names whose certificates or challenges changed, in order. */
  readonly changed: string[];
}

export async function startRig(t: Test): Promise<Rig> {
  const challenges = new AcmeChallenges();
  const asked: string[] = [];
  const plain = createServer((request, response) => {
    asked.push(request.url ?? '');
    const answer = challenges.answerFor(request.url ?? '');
    response.statusCode = answer === null ? 404 : 200;
    response.end(answer ?? 'not found');
  });
  const encrypted = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, done) => {
      const pair = challenges.certificateFor(name);
      done(null, pair === null ? undefined : createSecureContext({ ...pair }));
    },
  });
  encrypted.on('tlsClientError', () => {});
  const httpPort = await listen(t, plain);
  const tlsPort = await listen(t, encrypted);
  const manager: Rig['manager'] = (terms, clock) => {
    const told = new Told();
    const changed: string[] = [];
    const own = (clock as JumpClock | undefined) ?? new JumpClock();
    const made = new AcmeManager(
      { email: null, challenge: 'http-01', externalAccount: null, ca: null, ...terms },
      { clock: own, observer: told, challenges, onChange: (hosts) => void changed.push(...hosts) },
    );
    t.teardown(() => made.stop());
    return { manager: made, clock: own, told, changed };
  };
  return { challenges, httpPort, tlsPort, asked, manager };
}

async function listen(t: Test, server: Server | TlsServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** From now on these certificates are wanted. */
export async function want(manager: AcmeManager, groups: readonly (readonly string[])[]): Promise<void> {
  await manager.stage(groups);
  manager.install();
}

/** Resolves when no order is under way: what a test changes then meets the next ones. */
export async function settled(manager: AcmeManager): Promise<void> {
  const isIdle = (): boolean => manager.statuses.every(({ state }) => state !== 'ordering');
  await until(isIdle, 'no order is under way', () => rest(20));
}
