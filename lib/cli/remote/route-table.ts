import { escapeForScreen } from '../../observe/escape.js';
import { count } from '../error-text.js';
import type { Paint } from '../paint.js';
import { type Column, renderTable } from './columns.js';
import { age, grouped, latency } from './figures.js';
import { errorsOf, noteOf, stateTint, stateWord, weightOf } from './server-table.js';
import type { RouteView, ServerView } from './view.js';

/** More routes than this are shown as far as something is wrong with them. */
const MOST_ROUTES = 50;

/** A route, or one of its servers below it. */
interface Row {
  readonly route: RouteView;
  readonly server: ServerView | null;
}

/** Each route with its servers, ready to print. `now` is ms since the epoch. */
export function routeTable(routes: readonly RouteView[], now: number, width: number, paint: Paint): string {
  const shown = routes.length <= MOST_ROUTES ? routes : routes.filter(isTroubled).slice(0, MOST_ROUTES);
  const rows = shown.flatMap((route): Row[] => [
    { route, server: null },
    ...route.servers.map((server) => ({ route, server })),
  ]);
  const table = rows.length === 0 ? '' : renderTable(columnsAt(now), rows, width, paint);
  const others = routes.length - shown.length;
  if (others === 0) return table;
  const text = `${grouped(others)} more routes, of which no server is out; lb status --json has them all`;
  return `${table}${paint.dim(text)}\n`;
}

/** Does one of its servers get no requests? */
function isTroubled(route: RouteView): boolean {
  return route.down_since !== null || usableIn(route) < route.servers.length;
}

function usableIn({ servers }: RouteView): number {
  return servers.filter((server) => server.effective_weight > 0).length;
}

function columnsAt(now: number): readonly Column<Row>[] {
  return [
    {
      heading: 'ROUTE',
      text: ({ route, server }) => escapeForScreen(server === null ? route.name : `  ${server.name}`),
      tint: ({ server }, paint) => (server === null ? paint.bold : (text) => text),
      atLeast: 16,
    },
    { heading: 'STATE', text: stateOf, tint: tintOf },
    { heading: 'SINCE', right: true, text: (row) => sinceOf(row, now), dispensable: 3 },
    {
      heading: 'WEIGHT',
      right: true,
      text: ({ server }) => (server ? weightOf(server) : ''),
      dispensable: 5,
    },
    { heading: 'ACTIVE', right: true, text: ({ server }) => (server ? grouped(server.active) : '') },
    {
      heading: 'REQUESTS',
      right: true,
      text: ({ route, server }) => grouped(server === null ? route.requests : server.totals.requests),
      dispensable: 4,
    },
    {
      heading: 'ERRORS/MIN',
      right: true,
      text: ({ server }) => (server ? errorsOf(server) : ''),
      tint: (_, paint) => paint.red,
      dispensable: 2,
    },
    { heading: 'P50', right: true, text: (row) => latency(latencyOf(row)?.p50), dispensable: 6 },
    { heading: 'P99', right: true, text: (row) => latency(latencyOf(row)?.p99) },
    { heading: 'NOTE', text: (row) => note(row, now), tint: noteTint, atLeast: 10 },
  ];
}

function stateOf({ route, server }: Row): string {
  if (server !== null) return stateWord(server);
  return route.action === 'forward' ? `${usableIn(route)} of ${route.servers.length}` : route.action;
}

function tintOf({ route, server }: Row, paint: Paint): (text: string) => string {
  if (server !== null) return stateTint(server, paint);
  const left = usableIn(route);
  if (left === route.servers.length) return (text) => text;
  return left === 0 ? paint.red : paint.yellow;
}

function sinceOf({ route, server }: Row, now: number): string {
  const since = server === null ? route.down_since : server.since;
  return since === null ? '' : age(now - since);
}

function latencyOf({ route, server }: Row): RouteView['latency'] {
  return server === null ? route.latency : server.latency;
}

/** Of a route how requests reach it and how a server is picked; of a server why it is out, and until when. */
function note({ route, server }: Row, now: number): string {
  if (server !== null) return noteOf(server, now);
  const isNamed = route.match.replaceAll(' ', '') === route.name.replaceAll(' ', '');
  const match = isNamed ? '' : escapeForScreen(route.match);
  const waiting = route.hold?.waiting ?? 0;
  const wait = waiting === 0 ? '' : `${count(waiting, 'request')} ${waiting === 1 ? 'waits' : 'wait'}`;
  return [wait, route.algorithm, match].filter((text) => text !== '').join(', ');
}

function noteTint({ server }: Row, paint: Paint): (text: string) => string {
  return server !== null && (server.state === 'down' || server.state === 'ejected') ? paint.red : paint.dim;
}
