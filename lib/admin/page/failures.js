import { make, reconcile, say, shape } from './elements.js';
import { count, milliseconds, time } from './words.js';

/** The last failures by their reason: what it means, what to do, and the requests themselves. */
export class Failures {
  constructor(place) {
    this.kept = new Map();
    this.list = make('div');
    this.empty = make('p.empty', {}, 'No request has failed.');
    place.append(this.list, this.empty);
  }

  /** @param {readonly any[]} failures newest first */
  update(failures) {
    const groups = new Map();
    for (const failure of failures)
      groups.set(failure.reason, [...(groups.get(failure.reason) ?? []), failure]);
    this.empty.hidden = failures.length > 0;
    reconcile(
      this.list,
      this.kept,
      [...groups.values()],
      ([first]) => first.reason,
      () => new ReasonCard(),
    );
  }
}

class ReasonCard {
  constructor() {
    this.reason = make('strong.code');
    this.count = make('span.note');
    this.meaning = make('p.meaning');
    this.remedy = make('p.remedy');
    this.requests = make('ul.requests');
    this.shape = shape('bad');
    this.shown = '';
    const summary = make('summary', {}, 'Requests');
    this.element = make(
      'article.card.failure',
      {},
      make('p.failure-head', {}, this.shape, this.reason, this.count),
      this.meaning,
      this.remedy,
      make('details', {}, summary, this.requests),
    );
  }

  update(failures) {
    const [latest] = failures;
    say(this.reason, latest.reason);
    say(this.count, `${count(failures.length)}×, last ${time(latest.at)}`);
    const fault = { client: 'by the client', server: 'by a server', balancer: 'by the balancer' }[
      latest.fault
    ];
    this.element.dataset.fault = latest.fault;
    say(this.meaning, `${latest.meaning.charAt(0).toUpperCase()}${latest.meaning.slice(1)} (${fault}).`);
    say(this.remedy, latest.remedy);
    const shown = failures.map(({ id }) => id).join();
    if (shown === this.shown) return;
    this.shown = shown;
    this.requests.replaceChildren(...failures.slice(0, 10).map(requestLine));
  }
}

function requestLine({ at, method, host, path, status, server, detail, duration_ms: ms }) {
  const target = method === '' ? 'no request line' : `${method} ${host}${path}`;
  const about = [status === 0 ? 'no answer' : String(status), server, detail, milliseconds(ms)].filter(
    (text) => text !== '',
  );
  return make(
    'li',
    {},
    make('time', {}, time(at)),
    make('span.code', {}, target),
    make('span.note', {}, about.join(' · ')),
  );
}
