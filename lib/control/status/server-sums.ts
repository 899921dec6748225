import type { ServerState, ServerStatus, ServerTotals } from './status.js';

/** From best to worst. */
const STATES: readonly ServerState[] = ['up', 'unchecked', 'draining', 'maintenance', 'ejected', 'down'];

/**
 * Combines two servers of the same name, which exist because routes use different terms: adds up the numbers, keeps the
 * worse state.
 */
export function together(one: ServerStatus, other: ServerStatus): ServerStatus {
  return {
    ...worseOf(one, other),
    routes: [...new Set([...one.routes, ...other.routes])],
    routesDown: [...new Set([...one.routesDown, ...other.routesDown])],
    active: one.active + other.active,
    waiting: one.waiting + other.waiting,
    // Counted by name, so equal for both.
    bound: Math.max(one.bound, other.bound),
    open: one.open + other.open,
    idle: one.idle + other.idle,
    totals: sumOf(one.totals, other.totals),
    errors: one.errors + other.errors,
  };
}

/** The one with the worse state. */
export function worseOf<T extends Pick<ServerStatus, 'state'>>(one: T, other: T): T {
  return STATES.indexOf(other.state) > STATES.indexOf(one.state) ? other : one;
}

export function sumOf(one: ServerTotals, other: ServerTotals): ServerTotals {
  return {
    requests: one.requests + other.requests,
    byStatus: {
      '1xx': one.byStatus['1xx'] + other.byStatus['1xx'],
      '2xx': one.byStatus['2xx'] + other.byStatus['2xx'],
      '3xx': one.byStatus['3xx'] + other.byStatus['3xx'],
      '4xx': one.byStatus['4xx'] + other.byStatus['4xx'],
      '5xx': one.byStatus['5xx'] + other.byStatus['5xx'],
      none: one.byStatus.none + other.byStatus.none,
    },
    failures: one.failures + other.failures,
    connectFailures: one.connectFailures + other.connectFailures,
    resets: one.resets + other.resets,
    retries: one.retries + other.retries,
    ejections: one.ejections + other.ejections,
    spared: one.spared + other.spared,
    connections: one.connections + other.connections,
    unsolicited: one.unsolicited + other.unsolicited,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
  };
}
