import { make, mark, reshape, say, shape } from './elements.js';
import { serverLink } from './place.js';
import { count, errorShare, milliseconds, percent, rate, stateOf, whyOut } from './words.js';

/** A server as a row below its route. */
export class ServerRow {
  /** @param {{ change: (server: any, what: string) => void }} acts */
  constructor(acts) {
    this.acts = acts;
    this.server = null;
    this.element = make('tr.row.of-server', { role: 'row' }, ...this.#cells());
  }

  #cells() {
    this.name = make('a.name');
    this.tags = make('span.tags');
    this.address = make('span.address');
    this.shape = shape('quiet');
    this.state = make('span.word');
    this.why = make('span.note');
    this.rate = make('span');
    this.errors = make('span.result');
    this.errorShare = make('span.note');
    this.p50 = make('span');
    this.p99 = make('span');
    this.bar = make('span.fill');
    this.share = make('span.share-text');
    this.active = make('span');
    this.waiting = make('span.note');
    this.weight = make('span');
    this.weightNote = make('span.note');
    const cell = (label, kind, ...children) =>
      make(`td.${kind}`, { role: 'cell', 'data-label': label }, make('div.cell', {}, ...children));
    return [
      make(
        'th.who',
        { scope: 'row', role: 'rowheader' },
        make('div.cell', {}, make('span', {}, this.name, this.tags), this.address),
      ),
      cell('State', 'state', make('span.badge', {}, this.shape, this.state), this.why),
      cell('Requests/s', 'number', this.rate),
      cell('Errors', 'number', this.errors, this.errorShare),
      cell('p50', 'number', this.p50),
      cell('p99', 'number', this.p99),
      cell('Share', 'share', make('span.bar', { 'aria-hidden': 'true' }, this.bar), this.share),
      cell('Active', 'number', this.active, this.waiting),
      cell('Weight', 'number', this.weight, this.weightNote),
      make('td.acts', { role: 'cell', 'data-label': '' }, serverButtons(this)),
    ];
  }

  update(server) {
    this.server = server;
    const { name, address, state, is_half_open: isHalfOpen } = server;
    const isTried = isHalfOpen && (state === 'up' || state === 'unchecked');
    const known = stateOf(server);
    const tone = isTried ? 'warn' : known.tone;
    say(this.name, name);
    this.name.href = serverLink(name);
    say(this.address, name === address ? '' : address);
    showTags(this.tags, server);
    mark(this.element, 'data-tone', tone);
    reshape(this.shape, tone);
    say(this.state, isTried ? 'On trial' : known.word);
    mark(this.state, 'title', isTried ? 'one request at a time, after an ejection' : known.meaning);
    say(this.why, whyOut(server));
    this.#updateFigures(server);
    updateButtons(this, server);
  }

  #updateFigures({
    rate: perSecond,
    errors,
    p50,
    p99,
    share,
    active,
    waiting,
    bound,
    weight,
    effective_weight: now,
  }) {
    say(this.rate, rate(perSecond));
    say(this.errors, count(errors));
    mark(this.errors, 'data-tone', errors > 0 ? 'bad' : null);
    mark(this.errors, 'title', 'answers with 5xx and failed attempts of the last minute');
    say(this.errorShare, errorShare(errors, perSecond));
    say(this.p50, milliseconds(p50));
    say(this.p99, milliseconds(p99));
    this.bar.style.width = `${Math.round(share * 100)}%`;
    say(this.share, percent(share));
    say(this.active, count(active));
    const notes = [waiting > 0 ? `${count(waiting)} waiting` : '', bound > 0 ? `${count(bound)} bound` : ''];
    say(this.waiting, notes.filter((text) => text !== '').join(', '));
    say(this.weight, count(weight));
    say(this.weightNote, now > 0 && now < weight ? `now ${now.toFixed(1)}` : '');
  }
}

/** Small words beside the name of a server. @param {Element} place */
export function showTags(place, { backup, tls, source, from_file: isListed }) {
  const tags = [
    backup ? 'backup' : '',
    tls === '' ? '' : tls === 'verified' ? 'TLS' : 'TLS, not verified',
    source !== '' ? source.split(' ')[0] : isListed ? '' : 'added',
  ].filter((text) => text !== '');
  const text = JSON.stringify(tags);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  place.replaceChildren(...tags.map((tag) => make('span.tag', {}, tag)));
}

/** Buttons that change `owner.server`; `owner` gets them as fields. */
export function serverButtons(owner) {
  const button = (what) =>
    make('button.button.small', { type: 'button', onclick: () => owner.acts.change(owner.server, what) });
  owner.drain = button('drain');
  owner.enable = button('enable');
  owner.reweight = button('weight');
  return make('div.cell.buttons-cell', {}, owner.drain, owner.enable, owner.reweight);
}

export function updateButtons(owner, { name, state }) {
  const out = state === 'draining' || state === 'maintenance';
  const labels = [
    [owner.drain, 'Drain', `Drain ${name}`],
    [owner.enable, 'Enable', `Enable ${name}`],
    [owner.reweight, 'Weight', `Change the weight of ${name}`],
  ];
  for (const [button, text, label] of labels) {
    say(button, text);
    mark(button, 'aria-label', label);
  }
  // Removing an element must not remove the focus.
  const focused = document.activeElement;
  owner.drain.hidden = out;
  owner.enable.hidden = !out;
  if (focused === owner.drain && out) owner.enable.focus();
  if (focused === owner.enable && !out) owner.drain.focus();
}
