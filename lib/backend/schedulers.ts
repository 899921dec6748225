import type { Clock } from '../base/clock.js';
import type { AlgorithmConfig, AlgorithmName } from '../config/types.js';
import { ConsistentHash } from '../scheduler/consistent-hash.js';
import { First } from '../scheduler/first.js';
import { LeastConnections } from '../scheduler/least-connections.js';
import { LeastResponseTime } from '../scheduler/least-response-time.js';
import { PowerOfTwo } from '../scheduler/power-of-two.js';
import { Random } from '../scheduler/random.js';
import { RoundRobin } from '../scheduler/round-robin.js';
import type { RandomSource, Scheduler } from '../scheduler/scheduler.js';

/** What schedulers go by besides the servers. */
export interface SchedulerServices {
  readonly random: RandomSource;
  readonly clock: Clock;
}

/** Those that go by nothing of a request. */
type Unkeyed = Exclude<AlgorithmName, 'ip_hash' | 'hash'>;

/** A new scheduler for a group that wants this algorithm. */
export function createScheduler(algorithm: AlgorithmConfig, services: SchedulerServices): Scheduler {
  if (algorithm.name !== 'ip_hash' && algorithm.name !== 'hash') return unkeyed(algorithm.name, services);
  const { fallback, balanceFactor } = algorithm;
  // With the client's address there is always a key.
  const keyless = fallback === 'client_ip' ? 'round_robin' : fallback;
  return new ConsistentHash(unkeyed(keyless, services), balanceFactor);
}

function unkeyed(name: Unkeyed, { random, clock }: SchedulerServices): Scheduler {
  switch (name) {
    case 'round_robin':
      return new RoundRobin();
    case 'least_connections':
      return new LeastConnections();
    case 'random':
      return new Random(random);
    case 'power_of_two':
      return new PowerOfTwo(random);
    case 'least_response_time':
      return new LeastResponseTime(random, clock);
    case 'first':
      return new First();
  }
}
