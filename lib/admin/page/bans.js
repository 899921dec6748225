import { make, part, reconcile, say } from './elements.js';
import { duration, plural, time } from './words.js';

/** The clients that a firewall has banned, each with a button that lets it in again. */
export class Bans {
  /** @param {Element} place @param {(client: string) => void} lift */
  constructor(place, lift) {
    this.lift = lift;
    this.kept = new Map();
    this.body = make('tbody');
    const heads = ['Client', 'Left', 'Until', 'By', ''].map((name) => make('th', { scope: 'col' }, name));
    const caption = make('caption.unseen', {}, 'Banned clients');
    const table = make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), this.body);
    const region = { tabindex: 0, role: 'region', 'aria-label': 'Banned clients' };
    place.append(make('div.card.scroll', region, table));
  }

  /** @param {{ total: number, bans: readonly any[] }} list */
  update({ total, bans }) {
    part('bans-section').hidden = total === 0;
    const more = total > bans.length ? `, of which ${bans.length} are shown` : '';
    say(part('bans-aside'), `${plural(total, 'client')}${more}`);
    const keyOf = ({ client, rule }) => `${client} ${rule}`;
    reconcile(this.body, this.kept, bans, keyOf, (ban) => new BanRow(ban, this.lift));
  }
}

class BanRow {
  constructor({ client, rule, observed }, lift) {
    this.left = make('td');
    this.until = make('td');
    const name = `Lift the ban of ${client}`;
    const button = make(
      'button.button.small',
      { type: 'button', 'aria-label': name, onclick: () => lift(client) },
      'Lift',
    );
    this.element = make(
      'tr',
      {},
      make('th.code', { scope: 'row' }, client),
      this.left,
      this.until,
      make('td.code', {}, observed ? `${rule} (only observed)` : rule),
      make('td', {}, make('span.acts', {}, button)),
    );
  }

  update({ left_ms: left, until }) {
    say(this.left, duration(left));
    say(this.until, time(until));
  }
}
