import { make } from './elements.js';
import { count } from './words.js';

/** What each guard of each firewall has refused. @param {Element} place @param {readonly any[]} firewalls */
export function showFirewall(place, firewalls) {
  const rows = firewalls.flatMap(({ rule, verdicts }) =>
    verdicts.map(({ guard, refused, observed }) => [
      rule,
      guard.replaceAll('_', ' '),
      count(refused),
      count(observed),
    ]),
  );
  const text = JSON.stringify(rows);
  // Rebuilt only when a number changed.
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  if (rows.length === 0) {
    place.replaceChildren(make('p.empty', {}, 'No firewall rules.'));
    return;
  }
  const heads = ['Rule', 'Guard', 'Refused', 'Only observed'].map((name, index) =>
    make(index > 1 ? 'th.number' : 'th', { scope: 'col' }, name),
  );
  const lines = rows.map(([rule, guard, ...numbers]) =>
    make(
      'tr',
      {},
      make('th.code', { scope: 'row' }, rule),
      make('td', {}, guard),
      ...numbers.map((number) => make('td.number', {}, number)),
    ),
  );
  const caption = make('caption.unseen', {}, 'What the firewall refused');
  place.replaceChildren(
    make(
      'div.card.scroll',
      { tabindex: 0, role: 'region', 'aria-label': 'Firewall counters' },
      make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...lines)),
    ),
  );
}
