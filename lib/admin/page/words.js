// Numbers, times and states for people.

const whole = new Intl.NumberFormat('en');
const oneDecimal = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** @param {number} amount */
export const count = (amount) => whole.format(amount);

/** A rate or the like: a decimal where it says something. @param {number} amount */
export const rate = (amount) =>
  amount < 10 && amount % 1 !== 0 ? oneDecimal.format(amount) : count(Math.round(amount));

/** @param {number} share 0 to 1 */
export const percent = (share) =>
  `${share < 0.0995 && (share * 100) % 1 !== 0 ? oneDecimal.format(share * 100) : Math.round(share * 100)}%`;

/** @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 9950) return `${count(Math.round(ms / 1000))} s`;
  if (ms >= 995) return `${oneDecimal.format(ms / 1000)} s`;
  if (ms >= 9.95) return `${Math.round(ms)} ms`;
  return ms < 0.1 ? '<0.1 ms' : `${oneDecimal.format(ms)} ms`;
}

/** How long: `5 s`, `3 min`, `2 h 5 min`, `4 d`. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d`;
}

let clockOffset = 0;

/** The clock of the balancer, which may not be that of the browser; ms since the epoch. */
export const serverNow = () => Date.now() + clockOffset;

/** @param {number} at the time of the balancer now; less than two seconds are the way of the answer */
export function setServerTime(at) {
  if (Math.abs(at - serverNow()) > 2000) clockOffset = at - Date.now();
}

/** The day: `2027-01-15`. @param {number} at ms since the epoch */
export const dateOf = (at) => new Date(at).toISOString().slice(0, 10);

/** @param {number} end ms since the epoch */
export function daysUntil(end) {
  const days = Math.floor((end - serverNow()) / 86_400_000);
  return days < 0 ? 'none' : plural(days, 'day');
}

/** How many seconds recent figures are of. */
let counted = 60;

/** @param {number} uptime ms: in the first minute, what is recent is since the start */
export function setUptime(uptime) {
  counted = Math.min(60, Math.max(1, uptime / 1000));
}

/** Errors as a share of the requests of the last minute; empty without. @param {number} errors @param {number} perSecond */
export function errorShare(errors, perSecond) {
  if (errors === 0 || perSecond === 0) return '';
  return percent(Math.min(1, errors / (perSecond * counted)));
}

/** `in 5 s`, `now`. @param {number} at ms since the epoch */
export function inTime(at) {
  const left = at - serverNow();
  return left < 500 ? 'now' : `in ${duration(left)}`;
}

/** Why a server is out, until when, and who took it out; `for 3 min` where it is in. @param {any} server */
export function whyOut({ state, since, why, by, until, next_check_at: nextCheck, check_ok: ok }) {
  const now = serverNow();
  const lasts = `for ${duration(now - since)}`;
  const next = nextCheck === null ? '' : `, next check ${inTime(nextCheck)}`;
  if (state === 'ejected')
    return `${why}; ${until === null || until < now ? 'back soon' : `back in ${duration(until - now)}`}`;
  if (state === 'down') return `${why}, ${lasts}${next}`;
  if (state === 'draining' || state === 'maintenance') return by === '' ? lasts : `by ${by}, ${lasts}`;
  if (why !== '') return why;
  return ok === false ? `last check failed${next}` : lasts;
}

/** With the date if it is not today. @param {number} at ms since the epoch */
export function time(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** @param {number} amount @param {string} noun */
export const plural = (amount, noun) => `${count(amount)} ${noun}${amount === 1 ? '' : 's'}`;

/** Requests and how they were answered: `12 requests since the start: 10 2xx, 2 4xx`. @param {number} total */
export function answers(total, byStatus) {
  const known = Object.entries(byStatus).filter(([, amount]) => amount > 0);
  const parts = known.map(([kind, amount]) => `${count(amount)} ${kind === 'none' ? 'unanswered' : kind}`);
  const how = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  return `${plural(total, 'request')} since the start${how}`;
}

/** `443 (https, PROXY protocol)` */
export function listenerText({ address, scheme, redirect, proxy_protocol }) {
  const remarks = [
    ...(scheme === 'https' ? ['https'] : []),
    ...(redirect === null ? [] : ['redirects to https']),
    ...(proxy_protocol === null ? [] : ['PROXY protocol']),
  ];
  return remarks.length === 0 ? address : `${address} (${remarks.join(', ')})`;
}

/** A state in a word, and what it means in a line. */
export const STATES = {
  up: { word: 'Up', tone: 'good', meaning: 'its checks pass' },
  unchecked: { word: 'Unchecked', tone: 'quiet', meaning: 'no health check' },
  down: { word: 'Down', tone: 'bad', meaning: 'its checks fail' },
  ejected: { word: 'Ejected', tone: 'bad', meaning: 'real requests failed too often' },
  draining: { word: 'Draining', tone: 'warn', meaning: 'no new requests' },
  maintenance: { word: 'Maintenance', tone: 'warn', meaning: 'no requests at all' },
};

/** Of a server whose first check is not over. */
const CHECKING = { word: 'Checking', tone: 'quiet', meaning: 'gets requests, its first check is not over' };

/** The state of a server in a word, and what it means. */
export function stateOf({ state, check_at: checkedAt }) {
  if (state === 'up' && checkedAt === null) return CHECKING;
  return STATES[state] ?? STATES.unchecked;
}

/** The words of an event, and the shape of its state. */
const EVENTS = {
  listening: ['listening on', 'quiet'],
  closed: ['no longer listening on', 'quiet'],
  draining: ['stopping, what is in flight is answered', 'warn'],
  reloaded: ['settings reloaded', 'good'],
  reload_refused: ['settings refused', 'bad'],
  upgraded: ['a new program has taken over', 'good'],
  upgrade_failed: ['the new program did not start', 'bad'],
  warning: ['warning', 'warn'],
  down: ['is down', 'bad'],
  up: ['is up', 'good'],
  ejected: ['is ejected', 'bad'],
  returned: ['is back after its ejection', 'good'],
  route_down: ['has no server that takes requests', 'bad'],
  route_up: ['has a server again', 'good'],
  availability: ['was set', 'warn'],
  weight: ['has another weight', 'quiet'],
  added: ['was added', 'quiet'],
  removed: ['was removed', 'quiet'],
  drained: ['is drained, its last request has ended', 'warn'],
  queue_full: ['has a full queue', 'bad'],
  banned: ['banned', 'warn'],
  unbanned: ['ban lifted', 'good'],
  check_failed: ['check failed', 'bad'],
  check_passed: ['check passed', 'good'],
  connect_failed: ['connection failed', 'bad'],
  spared: ['would be ejected, but the others cannot do without it', 'warn'],
  trial: ['is tried with one request at a time', 'warn'],
  resolved: ['resolved', 'quiet'],
  resolve_failed: ['cannot be resolved', 'bad'],
  discovered: ['servers of', ''],
  source_failed: ['source of servers fails:', 'warn'],
  source_recovered: ['answers again:', 'good'],
  host_maintenance: ['maintenance of a host:', 'warn'],
  export_failed: ['the collector takes nothing:', 'warn'],
  export_recovered: ['the collector takes everything again:', 'good'],
  shared_lost: ['nothing is shared with other nodes', 'bad'],
  shared_recovered: ['shared with other nodes again', 'good'],
  certificates_reloaded: ['certificates reloaded', 'good'],
  certificate_refused: ['certificate refused', 'bad'],
  certificate_expiring: ['certificate expires', 'warn'],
  certificate_expired: ['certificate expired', 'bad'],
  certificate_ordered: ['new certificate', 'good'],
  certificate_failed: ['no certificate', 'bad'],
};

/** As the end of a maintenance is told to programs. */
const ISO_TIME = /\b\d{4}-\d\d-\d\dT[\d:.]+Z/;

/**
 * @param {{ what: string, server?: string, route?: string, reason: string, times?: number }} event
 * @returns {{ subject: string, text: string, reason: string, tone: string }}
 */
export function eventWords({ what, server = '', route, reason, times = 1 }) {
  const [words, tone] = EVENTS[what] ?? [what.replaceAll('_', ' '), 'quiet'];
  const text = times > 1 ? `${words}, ${count(times)} times` : words;
  const more = reason.replace(' -> ', ' → ').replace(ISO_TIME, (text) => time(Date.parse(text)));
  if (what === 'availability') {
    const to = reason.split(' -> ')[1] ?? reason;
    if (to === 'ready') return { subject: server, text: 'was enabled', reason: '', tone: 'good' };
    return {
      subject: server,
      text: to === 'draining' ? 'is draining' : 'is in maintenance',
      reason: '',
      tone,
    };
  }
  if (what === 'listening' || what === 'closed')
    return { subject: '', text: `${text} ${reason}`, reason: '', tone };
  return { subject: route ?? server, text, reason: more, tone };
}

/** `held`: requests that wait for a server to come back; null when they do not wait. */
export function whatBecomesOf(held) {
  if (held === null) return 'they get 503';
  return held === 0 ? 'they wait' : `${plural(held, 'request')} ${held === 1 ? 'waits' : 'wait'}`;
}
