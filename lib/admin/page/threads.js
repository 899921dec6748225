import { make, part, say } from './elements.js';
import { count, duration, milliseconds, percent, plural } from './words.js';

const THREAD_COLUMNS = ['Thread', 'Requests', 'Clients', 'Busy', 'Late by', 'Up for', 'Restarts'];

/** The threads that serve requests, if there are several. @param {readonly any[]} threads */
export function showThreads(threads) {
  part('threads-section').hidden = threads.length === 0;
  if (threads.length === 0) return;
  const most = threads.reduce((busiest, { busy }) => Math.max(busiest, busy), 0);
  const restarts = threads.reduce((sum, thread) => sum + thread.restarts, 0);
  const ended = restarts === 0 ? '' : `, ${plural(restarts, 'restart')}`;
  say(part('threads-aside'), `${plural(threads.length, 'thread')}, the busiest ${percent(most)}${ended}`);
  const cells = threads.flatMap(
    ({ number, requests, connections, busy, loop_delay_ms: late, since, restarts: times }) => [
      String(number),
      count(requests),
      count(connections),
      percent(busy),
      milliseconds(late),
      duration(Date.now() - since),
      count(times),
    ],
  );
  const shown = threadCells(part('threads'), threads.length);
  for (const [index, cell] of shown.entries()) say(cell, cells[index] ?? '');
}

/** The cells of the table, made anew when there are other threads. */
function threadCells(place, threads) {
  const known = [...place.querySelectorAll('tbody td, tbody th')];
  if (known.length === threads * THREAD_COLUMNS.length) return known;
  const rows = Array.from({ length: threads }, () =>
    make('tr', {}, make('th', { scope: 'row' }), ...THREAD_COLUMNS.slice(1).map(() => make('td.number'))),
  );
  const heads = THREAD_COLUMNS.map((name, index) =>
    make(index === 0 ? 'th' : 'th.number', { scope: 'col' }, name),
  );
  const caption = make('caption.unseen', {}, 'Threads');
  place.replaceChildren(
    make(
      'div.card.scroll',
      { tabindex: 0, role: 'region', 'aria-label': 'Threads' },
      make('table', {}, caption, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...rows)),
    ),
  );
  return [...place.querySelectorAll('tbody td, tbody th')];
}
