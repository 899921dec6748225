import type { HealthEvent, HealthEventKind } from '../health/health-history.js';
import type { EventKind, ServerEvent, StatusEvent } from './status.js';

const MOST = 100;

/** What both know of is told once, by the one who says more: for how long it was down, whether it is on trial. */
const SAID_BY_JOURNAL: ReadonlySet<HealthEventKind> = new Set(['down', 'up', 'ejected']);
const SAID_BY_HISTORY: ReadonlySet<EventKind> = new Set(['returned', 'spared']);

/**
 * The story of one server, the last 100, oldest first: what was told of it, and what was seen of its health. Of the same
 * moment, what was seen comes first, as what is told follows from it.
 */
export function serverEvents(
  told: readonly StatusEvent[],
  seen: readonly HealthEvent[],
): readonly ServerEvent[] {
  const events: ServerEvent[] = seen.filter(({ what }) => !SAID_BY_JOURNAL.has(what));
  for (const { at, what, reason } of told)
    if (!SAID_BY_HISTORY.has(what)) events.push({ at, what, reason, times: 1 });
  return events.sort((one, other) => one.at - other.at).slice(-MOST);
}
