import { make, part } from './elements.js';
import { count, plural } from './words.js';

const A_DAY = 86_400_000;
const CERTIFICATE_STATES = {
  valid: 'valid',
  expiring: 'expires soon',
  expired: 'expired',
  not_yet_valid: 'not valid yet',
};

/** The certificates that clients are shown, with their expiry. @param {readonly any[]} certificates */
export function showCertificates(certificates) {
  const place = part('certificates');
  part('certificates-section').hidden = certificates.length === 0;
  const rows = certificates.map(({ names, name, not_after: end, state, issuer, source, file, problems }) => [
    names.length > 1 ? `${names[0]} and ${count(names.length - 1)} more` : name,
    new Date(end).toISOString().slice(0, 10),
    daysLeft(end),
    [CERTIFICATE_STATES[state] ?? state, ...problems].join('; '),
    issuer,
    file === '' ? source : file,
  ]);
  const text = JSON.stringify(rows);
  // Rebuilt only when something changed.
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const heads = ['Names', 'Expires', 'Left', 'State', 'Issuer', 'From'].map((head) =>
    make('th', { scope: 'col' }, head),
  );
  const lines = rows.map(([names, ...cells]) =>
    make('tr', {}, make('th.code', { scope: 'row' }, names), ...cells.map((cell) => make('td', {}, cell))),
  );
  const caption = make('caption.unseen', {}, 'Certificates');
  place.replaceChildren(
    make(
      'div.card.scroll',
      { tabindex: 0, role: 'region', 'aria-label': 'Certificates' },
      make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...lines)),
    ),
  );
}

function daysLeft(end) {
  const days = Math.floor((end - Date.now()) / A_DAY);
  return days < 0 ? 'none' : plural(days, 'day');
}
