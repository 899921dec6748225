import type { AlgorithmConfig, RequestKeyConfig, RouteConfig } from '../../config/types.js';

/** By what a route chooses; null when it forwards nothing. */
export function algorithmOf({ action }: RouteConfig): AlgorithmConfig | null {
  return action.kind === 'forward' ? action.group.algorithm : null;
}

/** How a server is chosen, in words that follow `the server is`. */
export function describeAlgorithm({ name, on }: AlgorithmConfig): string {
  switch (name) {
    case 'round_robin':
      return 'in turn';
    case 'least_connections':
      return 'who has the fewest requests in flight';
    case 'random':
      return 'any, at random';
    case 'power_of_two':
      return 'of two drawn at random, who has fewer requests in flight';
    case 'least_response_time':
      return 'of two drawn at random, who will answer sooner';
    case 'first':
      return 'the first with less than max_connections';
    case 'ip_hash':
      return 'always the same for one client address';
    case 'hash':
      return `always the same for one ${on === null ? 'key' : describeKey(on)}`;
  }
}

/** `uri`, `header.x-user`, as it is written in the configuration. */
export function describeKey({ kind, name }: RequestKeyConfig): string {
  return name === '' ? kind : `${kind}.${name}`;
}
