import type { HealthEvent, HealthEventKind } from '../health/health-history.js';
import type { EventKind, ServerEvent, StatusEvent } from './status.js';

const MOST = 100;

/** Events that both sources have, listed from the one that says more: how long it was down, whether it is on trial. */
const SAID_BY_JOURNAL: ReadonlySet<HealthEventKind> = new Set(['down', 'up', 'ejected']);
const SAID_BY_HISTORY: ReadonlySet<EventKind> = new Set(['returned', 'spared']);

/**
 * The last 100 events of one server, oldest first: those that were reported, and those of its health. At the same time,
 * health events come first, because the reported ones follow from them.
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
