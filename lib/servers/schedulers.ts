import type { Clock } from '../base/timer-wheel.js';
import type { AlgorithmConfig, AlgorithmName } from '../config/types.js';
import { ConsistentHash } from './scheduler/consistent-hash.js';
import { First } from './scheduler/first.js';
import { LeastConnections } from './scheduler/least-connections.js';
import { LeastResponseTime } from './scheduler/least-response-time.js';
import { PowerOfTwo } from './scheduler/power-of-two.js';
import { Random } from './scheduler/random.js';
import { RoundRobin } from './scheduler/round-robin.js';
import type { Algorithm, RandomSource } from './scheduler/scheduler.js';

/** What schedulers need besides the servers. */
export interface SchedulerDeps {
  readonly random: RandomSource;
  readonly clock: Clock;
  /**
   * The turn with which orders begin, 0 by default. Threads have different ones: otherwise the first requests of all of
   * them would go to the same server.
   */
  readonly firstTurn?: number;
}

/** Algorithms that use nothing of a request. */
type Unkeyed = Exclude<AlgorithmName, 'ip_hash' | 'hash'>;

/** The algorithm for these settings. */
export function algorithmOf(config: AlgorithmConfig, services: SchedulerDeps): Algorithm {
  if (config.name !== 'ip_hash' && config.name !== 'hash') return unkeyed(config.name, services);
  const { fallback, balanceFactor } = config;
  // With the client's address there is always a key.
  const keyless = unkeyed(fallback === 'client_ip' ? 'round_robin' : fallback, services);
  return {
    create: (candidates) => new ConsistentHash(candidates, keyless.create(candidates), balanceFactor),
    avoidsFull: false,
    followsOrder: false,
    readsLatency: keyless.readsLatency,
  };
}

/** Chooses by the value that binds a client; without one, each server in turn. */
export const BY_VALUE: Algorithm = {
  create: (candidates) => new ConsistentHash(candidates, new RoundRobin(candidates)),
  avoidsFull: false,
  followsOrder: false,
  readsLatency: false,
};

function unkeyed(name: Unkeyed, { random, clock, firstTurn = 0 }: SchedulerDeps): Algorithm {
  const plain = { avoidsFull: true, followsOrder: false, readsLatency: false };
  switch (name) {
    case 'round_robin':
      return { ...plain, create: (candidates) => new RoundRobin(candidates, firstTurn) };
    case 'least_connections':
      return { ...plain, create: (candidates) => new LeastConnections(candidates) };
    case 'random':
      return { ...plain, create: (candidates) => new Random(candidates, random) };
    case 'power_of_two':
      return { ...plain, create: (candidates) => new PowerOfTwo(candidates, random) };
    case 'least_response_time':
      return {
        ...plain,
        readsLatency: true,
        create: (candidates) => new LeastResponseTime(candidates, random, clock),
      };
    case 'first':
      return {
        ...plain,
        avoidsFull: false,
        followsOrder: true,
        create: (candidates) => new First(candidates),
      };
  }
}
