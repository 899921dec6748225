import { make, mark, reshape, say, shape } from './elements.js';
import { routeLink } from './place.js';
import {
  count,
  duration,
  errorShare,
  milliseconds,
  plural,
  rate,
  serverNow,
  whatBecomesOf,
} from './words.js';

const ACTIONS = { redirect: 'redirects', respond: 'answers by itself' };

/** A route as a row, which folds and unfolds its servers. */
export class RouteRow {
  /** @param {{ toggle: (route: string, isFolded: boolean) => void }} acts */
  constructor(acts) {
    this.route = null;
    this.fold = make(
      'button.fold',
      { type: 'button', onclick: () => acts.toggle(this.route.id, this.route.is_folded) },
      make('span.chevron', { 'aria-hidden': 'true' }),
    );
    this.name = make('a.name');
    this.note = make('span.note');
    this.shape = shape('quiet');
    this.state = make('span.word');
    this.why = make('span.note');
    this.rate = make('span');
    this.errors = make('span.result');
    this.errorShare = make('span.note');
    this.p50 = make('span');
    this.p99 = make('span');
    this.filler = make('td.filler', { role: 'cell' });
    const cell = (label, kind, ...children) =>
      make(`td.${kind}`, { role: 'cell', 'data-label': label }, make('div.cell', {}, ...children));
    this.element = make(
      'tr.row.of-route',
      { role: 'row' },
      make(
        'th.who',
        { scope: 'rowgroup', role: 'rowheader' },
        make('div.named', {}, this.fold, make('div.cell', {}, this.name, this.note)),
      ),
      cell('State', 'state', make('span.badge', {}, this.shape, this.state), this.why),
      cell('Requests/s', 'number', this.rate),
      cell('Errors', 'number', this.errors, this.errorShare),
      cell('p50', 'number', this.p50),
      cell('p99', 'number', this.p99),
      this.filler,
    );
  }

  update(route) {
    this.route = route;
    const { id, match, action, algorithm, requests, is_folded: isFolded, suitable } = route;
    say(this.name, match);
    this.name.href = routeLink(id);
    const how = ACTIONS[action] ?? algorithm.replaceAll('_', ' ');
    say(this.note, `${how} · ${plural(requests, 'request')}`);
    const canFold = action === 'forward' && suitable > 0;
    mark(this.fold, 'data-idle', canFold ? null : '');
    this.fold.disabled = !canFold;
    mark(this.fold, 'aria-expanded', canFold ? String(!isFolded) : null);
    mark(this.fold, 'aria-label', `Servers of ${match}`);
    // Without the column of buttons when there are no buttons.
    mark(this.filler, 'colspan', document.documentElement.dataset.access === 'read' ? '3' : '4');
    this.#updateState(route);
    this.#updateFigures(route);
  }

  #updateState({ action, servers, usable, down_since: since, held }) {
    let tone = 'good';
    let word = `${count(usable)} of ${count(servers)} in use`;
    let why = '';
    if (action !== 'forward') [tone, word] = ['quiet', 'No server needed'];
    else if (since !== null)
      [tone, word, why] = [
        'bad',
        'Down',
        `No server takes requests for ${duration(serverNow() - since)}: ${whatBecomesOf(held)}`,
      ];
    else if (usable < servers) tone = 'warn';
    reshape(this.shape, tone);
    mark(this.element, 'data-tone', tone);
    say(this.state, word);
    say(this.why, why);
  }

  #updateFigures({ rate: perSecond, errors, p50, p99 }) {
    say(this.rate, rate(perSecond));
    say(this.errors, count(errors));
    mark(this.errors, 'data-tone', errors > 0 ? 'bad' : null);
    say(this.errorShare, errorShare(errors, perSecond));
    say(this.p50, milliseconds(p50));
    say(this.p99, milliseconds(p99));
  }
}
