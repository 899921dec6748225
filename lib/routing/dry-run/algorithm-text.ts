import type { AlgorithmConfig, RequestKeyConfig, RouteConfig } from '../../config/types.js';

/** The algorithm of a route; null when it does not forward. */
export function algorithmOf({ action }: RouteConfig): AlgorithmConfig | null {
  return action.kind === 'forward' ? action.group.algorithm : null;
}

/** How a server is chosen, in words that follow `the server is`. */
export function describeAlgorithm({ name, on }: AlgorithmConfig): string {
  switch (name) {
    case 'round_robin':
      return 'in turn';
    case 'least_connections':
      return 'the one with the fewest requests in flight';
    case 'random':
      return 'any, at random';
    case 'power_of_two':
      return 'of two picked at random, the one with fewer requests in flight';
    case 'least_response_time':
      return 'of two picked at random, the one that is expected to answer sooner';
    case 'first':
      return 'the first one below max_connections';
    case 'ip_hash':
      return 'always the same for one client address';
    case 'hash':
      return `always the same for one ${on === null ? 'key' : describeKey(on)}`;
  }
}

/** `uri`, `header.x-user`, as written in the configuration. */
export function describeKey({ kind, name }: RequestKeyConfig): string {
  return name === '' ? kind : `${kind}.${name}`;
}
