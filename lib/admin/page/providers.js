import { make, part } from './elements.js';
import { count, time } from './words.js';

const PROVIDER_STATES = { waiting: 'has not answered yet', current: 'current', failing: 'fails' };

/** Where servers come from by themselves. @param {readonly any[]} providers */
export function showProviders(providers) {
  const place = part('providers');
  part('providers-section').hidden = providers.length === 0;
  const rows = providers.map(({ source, state, servers, answered_at: at, error }) => [
    source,
    count(servers),
    at === null ? 'never' : time(at),
    [PROVIDER_STATES[state] ?? state, error].filter((text) => text !== '').join(': '),
  ]);
  const text = JSON.stringify(rows);
  // Rebuilt only when something changed.
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const heads = ['Source', 'Servers', 'Answered', 'State'].map((head) => make('th', { scope: 'col' }, head));
  const lines = rows.map(([source, ...cells]) =>
    make('tr', {}, make('th.code', { scope: 'row' }, source), ...cells.map((cell) => make('td', {}, cell))),
  );
  const caption = make('caption.unseen', {}, 'Sources of servers');
  place.replaceChildren(
    make(
      'div.card.scroll',
      { tabindex: 0, role: 'region', 'aria-label': 'Sources of servers' },
      make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...lines)),
    ),
  );
}
