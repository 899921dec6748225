import { make, reconcile, say } from './elements.js';
import { ServerRow } from './server-row.js';
import { duration, milliseconds, plural } from './words.js';

const COLUMNS = [
  ['Server', ''],
  ['State', ''],
  ['Last check', ''],
  ['Active', 'number'],
  ['Weight', 'number'],
  ['Errors', 'number'],
  ['Share', ''],
  ['p50 / p99', 'number'],
];

/** Every route with its servers. */
export class Routes {
  /** @param {Element} place @param {any} acts what the buttons of a row do */
  constructor(place, acts) {
    this.list = make('div');
    this.others = make('p.aside');
    this.acts = acts;
    this.kept = new Map();
    place.append(this.list, this.others);
  }

  /** @param {readonly any[]} routes */
  update(routes) {
    const shown = routes.filter(({ action }) => action === 'forward');
    reconcile(
      this.list,
      this.kept,
      shown,
      ({ name }) => name,
      () => new RouteCard(this.acts),
    );
    const others = routes
      .filter(({ action }) => action !== 'forward')
      .map(
        ({ match, name, action, requests }) => `${match || name} (${action}, ${plural(requests, 'request')})`,
      );
    say(this.others, others.length === 0 ? '' : `Answered without a server: ${others.join('; ')}.`);
  }

  tell(event) {
    for (const { rows } of this.kept.values()) rows.get(event.server)?.tell(event);
  }
}

class RouteCard {
  constructor(acts) {
    this.acts = acts;
    this.rows = new Map();
    this.title = make('h3');
    this.note = make('p.aside');
    this.down = make('p.aside', { hidden: true, 'data-tone': 'bad' });
    this.caption = make('caption.unseen');
    const heads = COLUMNS.map(([name, kind]) =>
      make(kind === '' ? 'th' : `th.${kind}`, { scope: 'col', role: 'columnheader' }, name),
    );
    const acting = make(
      'th.acts',
      { scope: 'col', role: 'columnheader' },
      make('span.unseen', {}, 'Actions'),
    );
    const head = make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, ...heads, acting));
    this.table = make('table.servers', { role: 'table' }, this.caption, head);
    this.element = make(
      'article.card.route',
      {},
      make('div.route-head', {}, this.title, this.note, this.down),
      this.table,
    );
  }

  update({ name, match, algorithm, requests, latency, servers, down_since: since }) {
    say(this.title, match === '' ? name : match);
    const parts = [plural(requests, 'request')];
    if (latency !== null) parts.push(`p50 ${milliseconds(latency.p50)}`, `p99 ${milliseconds(latency.p99)}`);
    say(this.note, [algorithm.replaceAll('_', ' '), ...parts].filter((part) => part !== '').join(' · '));
    this.down.hidden = since === null;
    say(
      this.down,
      since === null ? '' : `No server takes requests for ${duration(Date.now() - since)}: they get 503.`,
    );
    say(this.caption, `Servers of ${match === '' ? name : match}`);
    const create = (server) => new ServerRow(server, this.acts);
    reconcile(this.table, this.rows, servers, (server) => server.name, create, this.table.tHead);
  }
}
