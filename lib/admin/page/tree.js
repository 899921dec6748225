import { make, reconcile, say } from './elements.js';
import { routeLink } from './place.js';
import { RouteRow } from './route-row.js';
import { ServerRow } from './server-row.js';
import { count } from './words.js';

/** The columns of routes and servers alike; `kind` is the class of their cells. */
const COLUMNS = [
  ['Route or server', 'who'],
  ['State', 'state'],
  ['Requests/s', 'number'],
  ['Errors', 'number'],
  ['p50', 'number'],
  ['p99', 'number'],
  ['Share', 'share'],
  ['Active', 'number'],
  ['Weight', 'number'],
];

/** One table of all routes that are shown, each with its servers below it unless it is folded. */
export class Tree {
  /** @param {Element} place @param {{ change: any, toggle: (route: string, isFolded: boolean) => void }} acts */
  constructor(place, acts) {
    this.acts = acts;
    this.kept = new Map();
    const heads = COLUMNS.map(([name, kind]) =>
      make(`th.${kind}`, { scope: 'col', role: 'columnheader' }, name),
    );
    const acting = make(
      'th.acts',
      { scope: 'col', role: 'columnheader' },
      make('span.unseen', {}, 'Actions'),
    );
    const head = make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, ...heads, acting));
    const caption = make('caption.unseen', {}, 'Routes and their servers');
    this.table = make('table.tree', { role: 'table' }, caption, head);
    this.card = make('div.card', {}, this.table);
    this.emptyText = make('span');
    this.wayOut = make('a', { href: '#' }, 'Show everything');
    this.empty = make('p.empty', { hidden: true }, this.emptyText, ' ', this.wayOut);
    place.append(this.card, this.empty);
  }

  /** @param {readonly any[]} routes @param {readonly any[]} servers @param {string} empty what to say without routes */
  update(routes, servers, empty) {
    const byRoute = Map.groupBy === undefined ? grouped(servers) : Map.groupBy(servers, ({ route }) => route);
    const items = routes.map((route) => ({ ...route, rows: byRoute.get(route.id) ?? [] }));
    this.card.hidden = items.length === 0;
    this.empty.hidden = items.length > 0;
    say(this.emptyText, empty);
    this.wayOut.hidden = location.hash.length <= 1;
    reconcile(
      this.table,
      this.kept,
      items,
      ({ id }) => id,
      () => new RouteGroup(this.acts),
      this.table.tHead,
    );
  }
}

/** For browsers without `Map.groupBy`. */
function grouped(servers) {
  const groups = new Map();
  for (const server of servers) {
    const group = groups.get(server.route);
    if (group === undefined) groups.set(server.route, [server]);
    else group.push(server);
  }
  return groups;
}

/** A route and its servers. */
class RouteGroup {
  constructor(acts) {
    this.acts = acts;
    this.kept = new Map();
    this.head = new RouteRow(acts);
    this.link = make('a');
    this.shown = make('span');
    const cell = make('td.rest', { colspan: COLUMNS.length + 1, role: 'cell' }, this.shown, this.link);
    this.rest = make('tr.rest-row', { role: 'row', hidden: true }, cell);
    this.element = make('tbody.route', { role: 'rowgroup' }, this.head.element, this.rest);
  }

  update(route) {
    this.head.update(route);
    reconcile(
      this.element,
      this.kept,
      route.rows,
      ({ id }) => id,
      () => new ServerRow(this.acts),
      this.head.element,
    );
    const more = route.suitable - route.rows.length;
    this.rest.hidden = route.is_folded || more <= 0 || route.isAlone === true;
    if (this.rest.hidden) return;
    say(this.shown, `${count(route.rows.length)} of ${count(route.suitable)} servers are shown. `);
    say(this.link, 'All of them');
    this.link.href = routeLink(route.id);
  }
}
