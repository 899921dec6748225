import { make, shape } from './elements.js';
import { eventWords, time } from './words.js';

/** More are not shown; the API has them. */
const SHOWN = 60;

/** Events as sentences, newest first. */
export class Timeline {
  /** @param {{ ofServer?: boolean }} options of one server or route, whose name goes without saying */
  constructor({ ofServer = false } = {}) {
    this.ofServer = ofServer;
    this.list = make('ol.timeline', { reversed: true });
    this.empty = make('p.empty', {}, 'Nothing has happened yet.');
    this.element = make(
      'div',
      { tabindex: 0, role: 'region', 'aria-label': 'What happened' },
      this.list,
      this.empty,
    );
    this.lastId = 0;
  }

  /** @param {readonly any[]} events oldest first */
  show(events) {
    const text = JSON.stringify(events);
    // Not rebuilt while the reader has selected some of it.
    if (text === this.shown) return;
    this.shown = text;
    this.empty.hidden = events.length > 0;
    const entries = events
      .slice(-SHOWN)
      .map((event) => entry(event, this.ofServer && event.server === undefined));
    this.list.replaceChildren(...entries.reverse());
  }

  /** An event after all others. */
  add(event) {
    if (event.id <= this.lastId) return;
    this.lastId = event.id;
    this.empty.hidden = true;
    this.list.prepend(entry(event, this.ofServer));
    while (this.list.childElementCount > SHOWN) this.list.lastChild.remove();
  }
}

function entry(event, ofServer) {
  const { subject, text, reason, tone } = eventWords(event);
  const named = subject !== '' && !ofServer;
  const sentence = make(
    'span.sentence',
    {},
    named ? make('strong', {}, subject) : null,
    named ? ` ${text}` : capital(text.replace(/^(?:is|was|has) /, '')),
  );
  return make(
    'li',
    { 'data-tone': tone },
    make('time', { datetime: new Date(event.at).toISOString() }, time(event.at)),
    shape(tone),
    make('div', {}, sentence, reason === '' ? null : make('span.reason', {}, reason)),
  );
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
