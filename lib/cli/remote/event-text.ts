import { escapeForScreen } from '../../observe/escape.js';
import { clockTime } from '../../observe/timestamps.js';
import type { Paint } from '../paint.js';
import type { EventView } from './view.js';

type Tint = 'red' | 'green' | 'yellow' | null;

/** What happened to the server, and whether that is good or bad. */
const WORDS: { readonly [what in EventView['what']]: readonly [words: string, tint: Tint] } = {
  listening: ['listening on', null],
  closed: ['no longer listening on', null],
  draining: ['the balancer drains', 'yellow'],
  reloaded: ['settings reloaded', 'green'],
  reload_refused: ['settings refused', 'red'],
  upgraded: ['a new program has taken over', 'green'],
  upgrade_failed: ['the new program did not start', 'red'],
  warning: ['warning', 'yellow'],
  down: ['is down', 'red'],
  up: ['is back', 'green'],
  ejected: ['is ejected', 'red'],
  spared: ['fails, but is kept because too few servers would be left', 'red'],
  returned: ['is let in again', 'green'],
  route_down: ['has no server that takes requests', 'red'],
  route_up: ['has a server again', 'green'],
  availability: ['', 'yellow'],
  host_maintenance: ['maintenance:', 'yellow'],
  weight: ['weight', null],
  added: ['was added', 'green'],
  removed: ['was removed', 'yellow'],
  drained: ['is drained', 'green'],
  queue_full: ['has a full queue', 'red'],
  banned: ['banned', 'yellow'],
  unbanned: ['ban lifted of', 'green'],
  resolved: ['resolved', null],
  resolve_failed: ['not resolved', 'red'],
  discovered: ['servers of', null],
  source_failed: ['source of servers fails:', 'yellow'],
  source_recovered: ['answers again:', 'green'],
  export_failed: ['the OpenTelemetry collector does not take', 'yellow'],
  export_recovered: ['the OpenTelemetry collector takes again', 'green'],
  shared_lost: ['nothing is shared with other nodes', 'red'],
  shared_recovered: ['shared with other nodes again', 'green'],
  certificates_reloaded: ['certificates reloaded', 'green'],
  certificate_refused: ['certificate refused', 'red'],
  certificate_expiring: ['certificate expires', 'yellow'],
  certificate_expired: ['certificate expired', 'red'],
  certificate_ordered: ['new certificate', 'green'],
  certificate_failed: ['no certificate', 'red'],
};

/** The meaning of `ready -> draining`. */
const AVAILABILITY: ReadonlyMap<string, string> = new Map([
  ['ready', 'is ready again'],
  ['draining', 'is draining'],
  ['maintenance', 'is in maintenance'],
]);

/** Events whose reason continues the sentence: `is back after 3 s`. */
const SPOKEN_ON: ReadonlySet<EventView['what']> = new Set([
  'listening',
  'closed',
  'up',
  'route_up',
  'weight',
  'added',
  'host_maintenance',
  'banned',
  'unbanned',
  'resolved',
  'discovered',
  'source_failed',
  'source_recovered',
  'export_failed',
  'export_recovered',
  'shared_recovered',
]);

/** As the end of a maintenance is told to programs. */
const ISO_TIME = /\b\d{4}-\d\d-\d\dT[\d:.]+Z/;

/** `12:04:31 apple is down: refused`, without a line feed. */
export function eventText({ at, what, server, route, reason: given }: EventView, paint: Paint): string {
  const told = given.replace(ISO_TIME, (text) => clockTime(Date.parse(text)));
  const reason = what === 'availability' ? (AVAILABILITY.get(told.split(' -> ')[1] ?? '') ?? told) : told;
  // A newer balancer may send events that this program does not know.
  const [words, tint] = WORDS[what] ?? [what, null];
  const concerned = route ?? server;
  const subject = concerned === '' ? '' : paint.bold(escapeForScreen(concerned));
  const spoken = words === '' || tint === null ? words : paint[tint](words);
  const said = [subject, spoken].filter((part) => part !== '').join(' ');
  const joint = words === '' || SPOKEN_ON.has(what) ? ' ' : ': ';
  return `${paint.dim(clockTime(at))} ${said}${reason === '' ? '' : `${joint}${escapeForScreen(reason)}`}`;
}
