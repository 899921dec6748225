import { escapeForScreen } from '../../observe/escape.js';
import { humanDuration } from '../error-text.js';
import type { Paint } from '../paint.js';
import { type Column, renderTable } from './columns.js';
import { eventText } from './event-text.js';
import { grouped, latency, percent, rate, sparkline } from './figures.js';
import type { Rates, ServerRates } from './rates.js';
import { errorsOf, stateTint, stateWord } from './server-table.js';
import { type Look, listenersText } from './status-text.js';
import { threadLine } from './thread-text.js';
import { TopOrder } from './top-order.js';
import type { EventView, StatusView, TrafficView } from './view.js';

/** The result of one reading. */
export interface Glance {
  readonly status: StatusView;
  readonly rates: Rates;
  /** The latest seconds, oldest first. */
  readonly traffic: readonly TrafficView[];
  /** The latest events, oldest first. */
  readonly events: readonly EventView[];
}

const SPARKS = 30;
const BAR = 8;
/** Narrower windows show the beginning of a route's name. */
const WIDE = 100;
const NARROW_ROUTE = 13;

/** The lines of `lb top` for a screen of `height` lines; without line feeds. */
export function topLines(
  glance: Glance,
  height: number,
  { width, paint }: Look,
  order = new TopOrder(),
): string[] {
  const servers = order.sorted(glance.rates.servers);
  const [heading = '', ...rows] = renderTable(columnsFor(width), servers, width, paint).trimEnd().split('\n');
  const head = [...headLines(glance, paint), ''];
  // The heading of the table, and a line that tells which part of it is shown.
  const room = Math.max(1, height - head.length - 4);
  const first = order.scrolled(rows.length, room);
  const part = rows.slice(first, first + room);
  const shown =
    rows.length <= room
      ? [heading, ...rows]
      : [heading, ...part, partText(first, part.length, rows.length, paint)];
  const left = height - head.length - shown.length - 2;
  const events = left > 1 ? glance.events.slice(-(left - 1)).map((event) => eventText(event, paint)) : [];
  return [...head, ...shown, '', ...events];
}

function partText(first: number, count: number, all: number, paint: Paint): string {
  return paint.dim(`${first + 1} to ${first + count} of ${all} servers`);
}

function headLines({ status, rates, traffic }: Glance, paint: Paint): string[] {
  const { version, instance, state, ready, uptime_ms: uptime, listeners, clients, requests } = status;
  const tint = ready ? paint.green : paint.yellow;
  const seconds = traffic.slice(-SPARKS).map((point) => point.requests);
  const last = traffic.at(-1);
  // A balancer that was started before it was updated has none.
  const held = status.routes.reduce((sum, { hold }) => sum + (hold?.waiting ?? 0), 0);
  const name = instance ? ` ${escapeForScreen(instance)}` : '';
  const errors = `${rate(rates.errors)} errors/s`;
  return [
    `${paint.bold(`lb ${version}${name}`)} ${tint(state)} for ${humanDuration(uptime)}${ready ? '' : paint.yellow(', not ready')}  ${paint.dim(listenersText(listeners))}`,
    `${paint.bold(rate(rates.requests))} requests/s  ${paint.cyan(sparkline(seconds))}  ${rates.errors > 0 ? paint.red(errors) : errors}`,
    paint.dim(
      [
        `${grouped(requests.in_flight)} in flight`,
        ...(held === 0 ? [] : [`${grouped(held)} held`]),
        `${grouped(clients)} client${clients === 1 ? '' : 's'}`,
        `p50 ${latency(last?.p50) || '-'}`,
        `p99 ${latency(last?.p99) || '-'}`,
        `${grouped(requests.total)} since the start`,
      ].join('  '),
    ),
    ...(status.threads.length === 0 ? [] : [threadLine(status.threads, paint)]),
  ];
}

function columnsFor(width: number): readonly Column<ServerRates>[] {
  return [
    {
      heading: 'SERVER',
      text: ({ server }) => escapeForScreen(server.name),
      tint: (_, paint) => paint.bold,
      atLeast: 14,
    },
    {
      heading: 'ROUTE',
      text: ({ server }) => routesText(server.routes, width < WIDE ? NARROW_ROUTE : Number.POSITIVE_INFINITY),
      tint: (_, paint) => paint.dim,
      dispensable: 2,
      atLeast: 12,
    },
    {
      heading: 'STATE',
      text: ({ server }) => stateWord(server),
      tint: ({ server }, paint) => stateTint(server, paint),
    },
    { heading: 'REQ/S', right: true, text: ({ requests }) => rate(requests) },
    { heading: 'ACTIVE', right: true, text: ({ server }) => grouped(server.active) },
    { heading: 'WAIT', right: true, text: ({ server }) => grouped(server.waiting), dispensable: 3 },
    { heading: 'CONNS', right: true, text: ({ server }) => grouped(server.open), dispensable: 5 },
    { heading: 'P50', right: true, text: ({ server }) => latency(server.latency?.p50), dispensable: 4 },
    { heading: 'P99', right: true, text: ({ server }) => latency(server.latency?.p99) },
    { heading: 'FAIL/S', right: true, text: ({ failures }) => rate(failures), tint: failureTint },
    {
      heading: 'ERRORS/MIN',
      right: true,
      text: ({ server }) => errorsOf(server),
      tint: (_, paint) => paint.red,
      dispensable: 1,
    },
    { heading: 'SHARE', right: true, text: ({ server }) => percent(server.share), dispensable: 4 },
    {
      heading: '',
      text: ({ server }) => shareBar(server.share),
      tint: (_, paint) => paint.cyan,
      dispensable: 3,
    },
  ];
}

/** `www.mango.com +2`: the first one, and how many more. Its end is cut, so that the column stays where there is little room. */
function routesText([first = '', ...others]: readonly string[], most: number): string {
  const more = others.length === 0 ? '' : ` +${others.length}`;
  const room = most - more.length;
  const name = escapeForScreen(first);
  return `${name.length > room ? `${name.slice(0, room - 1)}…` : name}${more}`;
}

function failureTint({ failures }: ServerRates, paint: Paint): (text: string) => string {
  return failures > 0 ? paint.red : paint.dim;
}

function shareBar(share: number): string {
  return '█'.repeat(share > 0 ? Math.max(1, Math.round(share * BAR)) : 0).padEnd(BAR);
}
