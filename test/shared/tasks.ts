import { readFileSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { IpAddress } from '../../lib/base/ip-address.js';
import { RetryBudget } from '../../lib/exchange/retries.js';
import type { OffenceTerms } from '../../lib/shared/client-offences.js';
import type { KeyedHash } from '../../lib/shared/keyed-hash.js';
import type { BucketTerms } from '../../lib/shared/rate-buckets.js';
import { SharedMemory } from '../../lib/shared/shared-memory.js';
import type { Given } from './crowd.js';

/** The longest that a thread waits for another, ms. */
const LONGEST_MS = 30_000;

/** `100 per 1s, burst 10`. */
export const TERMS: BucketTerms = { interval: 10, depth: 100 };

export const OFFENCES: OffenceTerms = { count: 1000, within: 60_000 };
export const OFFENDER = IpAddress.v4(0xc0000201);

export const hashOf = ({ clients }: SharedMemory): KeyedHash => clients.scopes.hashFor('a limit', ['rules']);

export const TASKS = {
  /** Asks as fast as it can for some ms, and tells the times at which it was let in. */
  hammer(shared: SharedMemory, { lasts, key }: { lasts: number; key: string }): number[] {
    const hash = hashOf(shared);
    const passed: number[] = [];
    const until = monotonic() + lasts;
    for (;;) {
      const now = monotonic();
      if (now >= until) return passed;
      if (shared.clients.rates.take(hash.ofText(key), TERMS, now) === 0) passed.push(now);
    }
  },
  /** Asks at the given times, all of them as soon as it can. */
  replay(shared: SharedMemory, { times, key }: { times: readonly number[]; key: string }): number {
    const hash = hashOf(shared);
    let passed = 0;
    for (const now of times) if (shared.clients.rates.take(hash.ofText(key), TERMS, now) === 0) passed++;
    return passed;
  },
  /** Asks with a key of its own for each time. */
  flood(shared: SharedMemory, { count, name }: { count: number; name: string }): number {
    const hash = hashOf(shared);
    for (let i = 0; i < count; i++) shared.clients.rates.take(hash.ofText(`${name} ${i}`), TERMS, 1000);
    return count;
  },
  /**
   * Takes places of one client and returns them, `rounds` times. `held` has how many there are, as all threads count them:
   * it is changed only while a place is held. Returns how often there were more than `limit`.
   */
  occupy(shared: SharedMemory, { rounds, limit, held }: Occupying): number {
    const { places } = shared.clients;
    const hash = hashOf(shared);
    const counted = new Int32Array(held);
    let excesses = 0;
    for (let i = 0; i < rounds; i++) {
      const taken = 1 + (i % 3);
      let got = 0;
      for (let j = 0; j < taken; j++) {
        if (!places.enter(hash.ofText('client'), limit)) continue;
        got++;
        if (Atomics.add(counted, 0, 1) >= limit) excesses++;
      }
      for (let j = 0; j < got; j++) {
        Atomics.sub(counted, 0, 1);
        places.leave(hash.ofText('client'));
      }
    }
    return excesses;
  },
  /** Takes places of some clients, and of all connections, and returns some of them, for ever. */
  hold(shared: SharedMemory, { clients, most }: { clients: number; most: number }): void {
    const { places, connections } = shared.clients;
    const hash = hashOf(shared);
    for (let i = 0; ; i++) {
      const client = `client ${(i * 7) % clients}`;
      if (connections.enter(most)) connections.leave();
      if (i % 3 === 2 || !places.enter(hash.ofText(client), 1000)) places.leave(hash.ofText(client));
    }
  },
  /** Notes offences of one client until all of `count` are noted, and tells how many led to a ban. */
  offend(shared: SharedMemory, { times, now }: { times: number; now: number }): number {
    const { offences, bans } = shared.clients;
    const hash = hashOf(shared);
    let led = 0;
    for (let i = 0; i < times; i++) {
      if (!offences.note(hash.ofClient(OFFENDER), OFFENCES, now)) continue;
      led++;
      bans.add(hash, OFFENDER, now + 1000, now);
    }
    return led;
  },
  /**
   * Looks until a client is banned, counts itself in `seen`, and looks until it is banned no more. Returns when the last look
   * without a ban began, and the last one with a ban after that; 0 for none.
   */
  watchBan(shared: SharedMemory, { seen }: { seen: SharedArrayBuffer }): [notYet: number, still: number] {
    const hash = hashOf(shared);
    const { bans } = shared.clients;
    const lastUnless = (wanted: boolean): number => {
      let last = 0;
      const end = monotonic() + LONGEST_MS;
      for (let now = monotonic(); now < end; now = monotonic()) {
        if (bans.isBanned(hash.ofClient(OFFENDER), now) === wanted) return last;
        last = now;
      }
      throw new Error(`it was not ${wanted ? 'banned' : 'lifted'} in time`);
    };
    const notYet = lastUnless(true);
    Atomics.add(new Int32Array(seen), 0, 1);
    return [notYet, lastUnless(false)];
  },
  /** Uses every table, for ever. */
  useAll(shared: SharedMemory, { clients }: { clients: number }): void {
    const { rates, bans, offences, bindings, places, retries, scopes, connections } = shared.clients;
    const hash = hashOf(shared);
    const addresses = Array.from({ length: clients }, (_, i) => IpAddress.v4(i));
    const budgets = [0, 1, 2].map((i) => new RetryBudget(0.2, retries, `group ${i}`));
    for (let i = 0; ; i++) {
      const address = addresses[i % clients] as IpAddress;
      rates.take(hash.ofClient(address), TERMS, i);
      if (offences.note(hash.ofClient(address), OFFENCES, i)) bans.add(hash, address, i + 100, i);
      bans.isBanned(hash.ofClient(address), i);
      bindings.note(hash.ofClient(address), 7, i, 0);
      bindings.serverOf(hash.ofClient(address), 0);
      places.enter(hash.ofClient(address), 3);
      if (i % 2 === 0) places.leave(hash.ofClient(address));
      if (connections.enter(1000) && i % 2 === 0) connections.leave();
      budgets[i % 3]?.countRequest(i);
      budgets[i % 3]?.take(i);
      if (i % 100 === 0) scopes.hashFor('scopes', [`name ${i % 1000}`, `other name ${i % 1000}`]);
    }
  },
  /** Decides for some clients in turn. */
  time(shared: SharedMemory, { clients, decisions }: { clients: number; decisions: number }): Timing {
    const hash = hashOf(shared);
    const addresses = Array.from({ length: clients }, (_, i) => IpAddress.v4(0x0a000000 + i * 7));
    const decide = (count: number): void => {
      for (let i = 0; i < count; i++) {
        shared.clients.rates.take(hash.ofClient(addresses[i % clients] as IpAddress), TERMS, i / 100);
      }
    };
    decide(100_000);
    const from = processorTime();
    decide(decisions);
    return { each: (processorTime() - from) / decisions };
  },
};

interface Occupying {
  readonly rounds: number;
  readonly limit: number;
  readonly held: SharedArrayBuffer;
}

/** ns of the processor that this thread has used. */
function processorTime(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]);
}

/** ns of the processor per decision. */
export interface Timing {
  readonly each: number;
}

/** ms, the same in all threads. */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** What threads of a crowd can do. */
export type Tasks = typeof TASKS;

if (parentPort !== null && workerData !== null) {
  const { handle, thread, gate, task, part } = workerData as Given;
  const words = new Int32Array(gate);
  const shared = SharedMemory.attach(handle, thread);
  Atomics.add(words, 1, 1);
  Atomics.wait(words, 0, 0);
  (parentPort as MessagePort).postMessage(TASKS[task](shared, part as never));
}
