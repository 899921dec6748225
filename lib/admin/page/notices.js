import { make, part } from './elements.js';
import { time } from './words.js';

/** What everybody has to know: the balancer is not ready, or the last reload was refused. @param {any} facts */
export function showNotices({ ready, ready_reasons: reasons, state, config: { refused, path } }) {
  const notices = [];
  if (!ready) notices.push([state === 'draining' ? 'Stopping.' : 'Not ready.', ...reasons]);
  if (refused !== null)
    notices.push([
      `Settings were refused at ${time(refused.at)}: those from before are in force.`,
      refused.reason,
      ...(path === null ? [] : [`Mend ${path} and reload it.`]),
    ]);
  const place = part('notices');
  const text = JSON.stringify(notices);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  place.replaceChildren(
    ...notices.map(([first, ...rest]) =>
      make('div.notice', {}, make('strong', {}, first), ...rest.map((line) => make('span', {}, line))),
    ),
  );
}
