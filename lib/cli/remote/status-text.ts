import { listenerText } from '../../base/listener-text.js';
import { escapeForScreen } from '../../observe/escape.js';
import { clockTime } from '../../observe/timestamps.js';
import { count, humanDuration } from '../error-text.js';
import type { Paint } from '../paint.js';
import { wrapWords } from '../word-wrap.js';
import { type Column, renderTable } from './columns.js';
import { age, grouped, percent } from './figures.js';
import { routeTable } from './route-table.js';
import { threadTable } from './thread-text.js';
import type { BansView, BanView, MaintenanceView, StatusView } from './view.js';

/** The size and colours of the output. */
export interface Look {
  readonly width: number;
  readonly paint: Paint;
}

/** All that `lb status` shows. */
export function statusText(status: StatusView, { width, paint }: Look): string {
  const now = status.started_at + status.uptime_ms;
  const parts = [
    `${summary(status, paint)}${requestsLine(status, paint)}`,
    routeTable(status.routes, now, width, paint),
    threadTable(status.threads, now, width, paint),
    remarks(status, width, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** `lb 1.2.3 is running as edge-1, up 2 h 10 min, …`, two lines. */
function summary(status: StatusView, paint: Paint): string {
  const { version, instance, pid, state, ready, listeners, config, started_at, uptime_ms } = status;
  const tint = ready ? paint.green : paint.yellow;
  const settings =
    config.path === null
      ? 'settings of the command line'
      : `settings of ${escapeForScreen(config.path)}, read ${age(started_at + uptime_ms - config.loaded_at)} ago`;
  // A balancer of an earlier version does not report this.
  const name = instance ? ` as ${paint.bold(escapeForScreen(instance))}` : '';
  return (
    `${paint.bold(`lb ${version}`)} is ${tint(state)}${name}${ready ? '' : paint.yellow(', not ready')}, ` +
    `up ${humanDuration(uptime_ms)}, pid ${pid}\n${paint.dim(`on ${listenersText(listeners)}; ${settings}`)}\n`
  );
}

/** `80 (redirects to https), 443 (https)` */
export function listenersText(listeners: StatusView['listeners']): string {
  return listeners
    .map(({ proxy_protocol, ...rest }) => listenerText({ ...rest, proxyProtocol: proxy_protocol }))
    .join(', ');
}

function requestsLine({ clients, requests }: StatusView, paint: Paint): string {
  const { total, in_flight: inFlight, by_status: byStatus } = requests;
  const classes = (['2xx', '3xx', '4xx', '5xx'] as const).filter((one) => byStatus[one] > 0);
  const shares = classes.map((one) => {
    const text = `${one} ${percent(byStatus[one] / total)}`;
    return one === '5xx' ? paint.red(text) : text;
  });
  const spoken = [`${grouped(total)} request${total === 1 ? '' : 's'}`, ...shares];
  return `${spoken.join('  ')}  ${paint.dim(`${grouped(inFlight)} in flight, ${count(clients, 'client')}`)}\n`;
}

/** How many routes are named as down; the table has all of them. */
const MOST_NAMED = 10;

function routesDown({ routes, started_at, uptime_ms }: StatusView, paint: Paint): string[] {
  const now = started_at + uptime_ms;
  const lines: string[] = [];
  let count = 0;
  for (const { name, down_since: since, servers } of routes) {
    if (since === null || ++count > MOST_NAMED) continue;
    const states = servers.slice(0, MOST_NAMED).map((server) => `${server.name} ${server.state}`);
    const why = states.length === 0 ? 'no source has reported a server' : states.join(', ');
    const text = `${name} for ${age(now - since)} (${why})`;
    lines.push(`${paint.red('no server takes requests for')} ${escapeForScreen(text)}`);
  }
  if (count > MOST_NAMED) lines.push(paint.red(`nor for ${count - MOST_NAMED} more routes`));
  return lines;
}

/** `2 requests wait for a server of shop (340 in all, 3 in vain, 12 more were refused)` */
function holdLines({ routes }: StatusView, paint: Paint): string[] {
  const lines: string[] = [];
  let more = 0;
  for (const { name, hold } of routes) {
    // A balancer that was started before it was updated has none.
    if (!hold || hold.waiting + hold.timed_out + hold.refused === 0) continue;
    if (lines.length === MOST_NAMED) {
      more++;
      continue;
    }
    const { waiting, held, timed_out: timedOut, refused } = hold;
    const who = `${count(waiting, 'request')} ${waiting === 1 ? 'waits' : 'wait'} for a server of`;
    const far = [
      `${grouped(held)} in all`,
      ...(timedOut > 0 ? [`${grouped(timedOut)} in vain`] : []),
      ...(refused > 0 ? [`${grouped(refused)} more ${refused === 1 ? 'was' : 'were'} refused`] : []),
    ].join(', ');
    const tint = waiting > 0 ? paint.yellow : paint.dim;
    lines.push(`${tint(who)} ${escapeForScreen(name)} ${paint.dim(`(${far})`)}`);
  }
  if (more > 0) lines.push(paint.dim(`and of ${count(more, 'more route')}`));
  return lines;
}

/** What needs attention, one line each, or more where they are longer than the window. */
function remarks(status: StatusView, width: number, paint: Paint): string {
  const { ready_reasons: reasons, requests, firewall, config } = status;
  const unready = reasons.map((reason) => `${paint.yellow('not ready:')} ${escapeForScreen(reason)}`);
  const lines = [...unready, ...routesDown(status, paint), ...holdLines(status, paint)];
  const failed = Object.entries(requests.by_reason).sort(([, a], [, b]) => b - a);
  if (failed.length > 0) {
    const list = failed.map(([reason, times]) => `${reason} ${grouped(times)}`);
    lines.push(`${paint.dim('failed:')} ${list.join(', ')}`);
  }
  for (const { rule, verdicts } of firewall) {
    const told = verdicts.flatMap(({ guard, refused, observed }) => [
      ...(refused > 0 ? [`${guard} ${grouped(refused)}`] : []),
      ...(observed > 0 ? [`${guard} ${grouped(observed)} (observed)`] : []),
    ]);
    if (told.length > 0) lines.push(`${paint.dim(`refused by ${rule}:`)} ${told.join(', ')}`);
  }
  for (const one of status.maintenance ?? []) lines.push(maintenanceLine(one, status, paint));
  for (const provider of status.providers ?? []) lines.push(providerLine(provider, status, paint));
  if (status.shared) lines.push(sharedLine(status.shared, paint));
  for (const line of config.drift) lines.push(`${paint.dim('not in the file:')} ${escapeForScreen(line)}`);
  return lines.map((line) => `${wrapWords(line, width, 2)}\n`).join('');
}

/** `in maintenance: www.mango.com for 12 min more, except for 10.0.0.0/8` */
function maintenanceLine(
  { name, by, until, allow }: MaintenanceView,
  { started_at, uptime_ms }: StatusView,
  paint: Paint,
): string {
  const place = name === '*' ? 'every host' : escapeForScreen(name);
  const end = until === null ? '' : ` until ${clockTime(until)}, ${age(until - started_at - uptime_ms)} more`;
  const except = allow.length === 0 ? '' : `, except for ${escapeForScreen(listed(allow))}`;
  return `${paint.yellow('in maintenance:')} ${place}${end}${except}${by === 'file' ? ' (by the file)' : ''}`;
}

/** The first three, and how many more. */
function listed(items: readonly string[]): string {
  const more = items.length > 3 ? ` and ${items.length - 3} more` : '';
  return `${items.slice(0, 3).join(', ')}${more}`;
}

/** `shared by 3 nodes: a 71%, b 22%, c 7%`, each with its part of the requests. */
function sharedLine({ state, nodes, error }: NonNullable<StatusView['shared']>, paint: Paint): string {
  const all = nodes.reduce((sum, { rate }) => sum + rate, 0);
  const names = nodes
    .slice(0, MOST_NAMED)
    .map(({ name, rate }) => (all > 0 ? `${name} ${Math.round((100 * rate) / all)}%` : name));
  if (nodes.length > MOST_NAMED) names.push(`${nodes.length - MOST_NAMED} more`);
  if (state === 'shared')
    return paint.dim(`shared by ${count(nodes.length, 'node')}: ${escapeForScreen(names.join(', '))}`);
  const why = error === '' ? '' : `: ${escapeForScreen(error)}`;
  const what = state === 'lost' ? 'Redis is lost' : 'Redis has not answered yet';
  return paint.yellow(`${what}, limits are this node's share${why}`);
}

/** `3 servers of file /etc/lb/targets/*.json, which answered 4 s ago`. */
function providerLine(
  { source, servers, state, answered_at: answeredAt, error }: StatusView['providers'][number],
  { started_at, uptime_ms }: StatusView,
  paint: Paint,
): string {
  const when =
    answeredAt === null
      ? 'which has not answered'
      : `which answered ${age(started_at + uptime_ms - answeredAt)} ago`;
  const text = `${count(servers, 'server')} of ${escapeForScreen(source)}, ${when}`;
  const why = error === '' ? '' : `: ${escapeForScreen(error)}`;
  return state === 'current' && error === '' ? paint.dim(text) : paint.yellow(`${text}${why}`);
}

const COLUMNS: readonly Column<BanView>[] = [
  { heading: 'CLIENT', text: ({ client }) => escapeForScreen(client), tint: (_, paint) => paint.bold },
  { heading: 'LEFT', right: true, text: ({ left_ms }) => humanDuration(left_ms) },
  { heading: 'UNTIL', text: ({ until }) => clockTime(until), dispensable: 1 },
  { heading: 'BY', text: ({ rule }) => escapeForScreen(rule), atLeast: 14 },
  { heading: '', text: ({ observed }) => (observed ? 'only observed' : ''), dispensable: 2 },
];

/** All that `lb bans` shows. */
export function bansText({ total, bans }: BansView, { width, paint }: Look): string {
  if (total === 0) return 'No client is banned.\n';
  const more =
    total > bans.length ? `${paint.dim(`and ${count(total - bans.length, 'more client')}`)}\n` : '';
  return renderTable(COLUMNS, bans, width, paint) + more;
}
