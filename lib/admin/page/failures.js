import { make, reconcile, say, shape } from './elements.js';
import { count, milliseconds, time } from './words.js';

/** When no answer came, requests are asked for again after so many ms. */
const AGAIN_MS = 2000;

/**
 * The last failures by their reason: its meaning, the remedy, and the requests themselves. `requestsOf`: asks for all
 * requests of a reason.
 */
export class Failures {
  constructor(place, requestsOf) {
    this.requestsOf = requestsOf;
    this.kept = new Map();
    this.list = make('div');
    this.empty = make('p.empty', {}, 'No request has failed.');
    place.append(this.list, this.empty);
  }

  /** @param {readonly any[]} reasons what came up last first */
  update(reasons) {
    this.empty.hidden = reasons.length > 0;
    const create = () => new ReasonCard(this.requestsOf);
    reconcile(this.list, this.kept, reasons, ({ reason }) => reason, create);
  }
}

class ReasonCard {
  constructor(requestsOf) {
    this.requestsOf = requestsOf;
    this.reason = make('strong.code');
    this.count = make('span.note');
    this.meaning = make('p.meaning');
    this.remedy = make('p.remedy');
    this.requests = make('ul.requests');
    this.shape = shape('bad');
    /** The count of failures when the requests were asked for. */
    this.asked = 0;
    this.timer = 0;
    const summary = make('summary', {}, 'Last requests');
    this.details = make('details', {}, summary, this.requests);
    this.details.addEventListener('toggle', () => void this.askForRequests());
    this.element = make(
      'article.card.failure',
      {},
      make('p.failure-head', {}, this.shape, this.reason, this.count),
      this.meaning,
      this.remedy,
      this.details,
    );
  }

  update({ reason, fault, meaning, remedy, count: times, last_at: lastAt, requests }) {
    const whose = { client: 'by the client', server: 'by a server', balancer: 'by the balancer' }[fault];
    say(this.reason, reason);
    say(this.count, `${count(times)}×, last at ${time(lastAt)}`);
    this.element.dataset.fault = fault;
    say(this.meaning, `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)} (${whose}).`);
    say(this.remedy, remedy);
    this.times = times;
    if (this.details.open) void this.askForRequests();
    // Some of them, until they are asked for.
    else if (times !== this.asked) this.show(requests);
  }

  /** Asks again after more requests have failed, and soon when no answer came. */
  async askForRequests() {
    clearTimeout(this.timer);
    if (!this.details.open || !this.element.isConnected || this.asked === this.times) return;
    if (document.visibilityState !== 'visible') return this.askSoon();
    const asked = this.times;
    this.asked = asked;
    try {
      const requests = await this.requestsOf(this.reason.textContent);
      // The answer to a later question has more.
      if (this.asked === asked) this.show(requests);
    } catch {
      // The page says itself that the connection is lost.
      if (this.asked !== asked) return;
      this.asked = 0;
      this.askSoon();
    }
  }

  askSoon() {
    this.timer = setTimeout(() => void this.askForRequests(), AGAIN_MS);
  }

  show(requests) {
    this.requests.replaceChildren(...requests.map(requestLine));
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
