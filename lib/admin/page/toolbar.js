import { mark, part, say } from './elements.js';
import { count, plural, STATES } from './words.js';

/** A search begins this long after the last key, in ms. */
const TYPING_MS = 200;
const PAGE_ROWS = 50;
/** The states of servers that take no new requests, the worst first. */
const OUT = ['down', 'ejected', 'maintenance', 'draining'];

/** Search, the filter and the pages above the routes. */
export class Toolbar {
  /** @param {import('./place.js').Place} place */
  constructor(place) {
    this.place = place;
    this.typing = 0;
    this.search = part('search');
    this.wrong = part('wrong');
    this.pager = part('pager');
    this.range = part('range');
    this.search.addEventListener('input', () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#searchFor(this.search.value), TYPING_MS);
    });
    this.search.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#searchFor(this.search.value);
    });
    this.wrong.addEventListener('click', () => place.change({ wrong: !place.wrong, offset: 0 }));
    part('previous').addEventListener('click', () => this.#turn(-PAGE_ROWS));
    part('next').addEventListener('click', () => this.#turn(PAGE_ROWS));
    document.addEventListener('keydown', (event) => this.#onKey(event));
  }

  #searchFor(text) {
    clearTimeout(this.typing);
    const search = text.trim();
    if (search !== this.place.search) this.place.change({ search, offset: 0 });
  }

  #turn(rows) {
    this.place.change({ offset: Math.max(0, this.place.offset + rows) });
    part('servers').scrollIntoView({ block: 'start' });
  }

  /** A slash goes to the search, as on many pages. */
  #onKey(event) {
    const isTyping = event.target instanceof HTMLElement && event.target.closest('input, dialog') !== null;
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.search.focus();
    this.search.select();
  }

  /** @param {any} facts @param {number} total of the rows that are paged @param {number} shown @param {string} noun */
  update(facts, total, shown, noun) {
    const { place } = this;
    if (document.activeElement !== this.search && this.search.value !== place.search)
      this.search.value = place.search;
    mark(this.wrong, 'aria-pressed', String(place.wrong));
    const wrong = facts.wrong;
    say(part('wrong-count'), count(wrong));
    mark(this.wrong, 'data-tone', wrong > 0 || facts.routes_down > 0 ? 'warn' : null);
    this.pager.hidden = total <= PAGE_ROWS && place.offset === 0;
    const first = shown === 0 ? 0 : place.offset + 1;
    say(this.range, `${count(first)}–${count(place.offset + shown)} of ${plural(total, noun)}`);
    part('previous').disabled = place.offset === 0;
    part('next').disabled = place.offset + shown >= total;
  }
}

/** `28 of 30 servers in use: 1 down, 1 draining`. @param {any} facts */
export function serversText({ servers, usable, by_state: byState }) {
  const out = OUT.filter((state) => byState[state] > 0).map(
    (state) => `${count(byState[state])} ${STATES[state].word.toLowerCase()}`,
  );
  return `${count(usable)} of ${plural(servers, 'server')} in use${out.length === 0 ? '' : `: ${out.join(', ')}`}`;
}

/** What is said where no route suits. @param {import('./place.js').Place} place */
export function nothingText({ search, wrong, server, route }) {
  if (server !== null) return `There is no server “${server}” now.`;
  if (route !== null) return `There is no route “${route}” now.`;
  if (search !== '')
    return `No route or server ${wrong ? 'with something wrong ' : ''}has “${search}” in its name.`;
  return wrong ? 'Nothing is wrong.' : 'There are no routes.';
}
