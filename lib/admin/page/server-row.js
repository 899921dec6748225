import { make, mark, reshape, say, shape } from './elements.js';
import { Timeline } from './timeline.js';
import { answers, count, duration, milliseconds, percent, plural, STATES } from './words.js';

let rows = 0;

/** A server as a row of its route, with its events below. */
export class ServerRow {
  /** @param {{ change: (server: any, what: string) => void, events: (name: string) => Promise<readonly any[]> }} acts */
  constructor(server, acts) {
    this.acts = acts;
    this.server = server;
    this.id = `server-${++rows}`;
    this.timeline = new Timeline({ ofServer: true });
    this.news = false;
    this.asking = false;
    this.element = make('tbody.server', { role: 'rowgroup' }, this.#row(), this.#story());
  }

  #row() {
    this.name = make('span.name');
    this.address = make('span.address');
    this.tls = make('span.tag', { hidden: true });
    this.toggle = make(
      'button.toggle',
      { type: 'button', 'aria-expanded': 'false', 'aria-controls': this.id, onclick: () => this.#unfold() },
      make('span.chevron', { 'aria-hidden': 'true' }),
      this.name,
    );
    this.backup = make('span.tag', { hidden: true }, 'backup');
    this.shape = shape('quiet');
    this.state = make('span.word');
    this.since = make('span.note');
    this.check = make('span.result');
    this.checkedAt = make('span.note');
    this.active = make('span');
    this.waiting = make('span.note');
    this.weight = make('span');
    this.weightNote = make('span.note');
    this.errors = make('span.result');
    this.errorsNote = make('span.note');
    this.bar = make('span.fill');
    this.share = make('span.share-text');
    this.p50 = make('span');
    this.p99 = make('span.note');
    const cell = (label, kind, ...children) =>
      make(`td.${kind}`, { role: 'cell', 'data-label': label }, make('div.cell', {}, ...children));
    return make(
      'tr.row',
      { role: 'row' },
      make('th.who', { scope: 'row', role: 'rowheader' }, this.toggle, this.backup, this.tls, this.address),
      cell('State', 'state', make('span.badge', {}, this.shape, this.state), this.since),
      cell('Last check', 'check', this.check, this.checkedAt),
      cell('Active', 'number', this.active, this.waiting),
      cell('Weight', 'number', this.weight, this.weightNote),
      cell('Errors', 'number', this.errors, this.errorsNote),
      cell('Share', 'share', make('span.bar', { 'aria-hidden': 'true' }, this.bar), this.share),
      cell('p50 / p99', 'number', this.p50, this.p99),
      make('td.acts', { role: 'cell', 'data-label': '' }, make('div.cell', {}, ...this.#buttons())),
    );
  }

  #buttons() {
    const button = (what) =>
      make('button.button.small', { type: 'button', onclick: () => this.acts.change(this.server, what) });
    this.drain = button('drain');
    this.enable = button('enable');
    this.reweight = button('weight');
    return [this.drain, this.enable, this.reweight];
  }

  #story() {
    this.totals = make('p.totals');
    const inner = make('div.story-inner', {}, this.totals, make('h4', {}, 'Timeline'), this.timeline.element);
    this.wide = make('td', { role: 'cell' }, inner);
    this.story = make('tr.story', { id: this.id, role: 'row', hidden: true }, this.wide);
    return this.story;
  }

  async #unfold() {
    const open = this.story.hidden;
    this.story.hidden = !open;
    mark(this.toggle, 'aria-expanded', String(open));
    if (open) await this.tell();
  }

  /** Something happened to the server: its events are loaded again, if they are shown. */
  async tell() {
    this.news = true;
    if (this.story.hidden || this.asking) return;
    this.asking = true;
    while (this.news) {
      this.news = false;
      this.timeline.show(await this.acts.events(this.server.name));
    }
    this.asking = false;
  }

  update(server) {
    // Checks are shown among a server's events, but are not announced.
    const checked = server.last_check?.at !== this.server.last_check?.at;
    this.server = server;
    if (checked) void this.tell();
    const { name, address, tls, state, backup } = server;
    const known = STATES[state] ?? STATES.unchecked;
    say(this.name, name);
    say(this.address, name === address ? '' : address);
    this.backup.hidden = !backup;
    this.tls.hidden = tls === null;
    say(this.tls, tls?.verify === false ? 'TLS, not verified' : 'TLS');
    mark(this.element, 'data-tone', known.tone);
    reshape(this.shape, known.tone);
    say(this.state, known.word);
    mark(this.state, 'title', known.meaning);
    this.#updateFigures(server);
    this.#updateButtons(server);
  }

  #updateFigures({
    since,
    last_check: check,
    active,
    waiting,
    bound,
    weight,
    effective_weight: now,
    errors,
    share,
    latency,
    totals,
  }) {
    say(this.since, `for ${duration(Date.now() - since)}`);
    say(this.check, check === null ? 'never' : check.result);
    mark(this.check, 'data-tone', check === null || check.ok ? null : 'bad');
    say(
      this.checkedAt,
      check === null ? '' : `${milliseconds(check.duration_ms)}, ${duration(Date.now() - check.at)} ago`,
    );
    say(this.active, count(active));
    const notes = [
      [waiting, `${count(waiting)} waiting`],
      [bound, `${count(bound)} bound`],
    ];
    say(this.waiting, sayWhere(notes));
    say(this.weight, count(weight));
    say(this.weightNote, now > 0 && now < weight ? `now ${now.toFixed(1)}` : '');
    say(this.errors, count(errors));
    mark(this.errors, 'data-tone', errors > 0 ? 'bad' : null);
    mark(this.errors, 'title', 'answers with 5xx and failed attempts of the last minute');
    say(this.errorsNote, errors > 0 ? 'in a minute' : '');
    this.bar.style.width = `${Math.round(share * 100)}%`;
    say(this.share, percent(share));
    say(this.p50, milliseconds(latency?.p50));
    say(this.p99, latency === null ? '' : milliseconds(latency.p99));
    const { requests, by_status: byStatus, failures, retries, ejections, spared, unsolicited } = totals;
    const rare = [
      [spared, `, spared ${plural(spared, 'time')} as the last that could be used`],
      [unsolicited, `, ${plural(unsolicited, 'connection')} closed because it sent data without a request`],
    ];
    say(
      this.totals,
      `${answers(requests, byStatus)}. ${plural(failures, 'failed attempt')}, ` +
        `${count(retries)} retried here, ${plural(ejections, 'ejection')}${sayWhere(rare, '')}. ` +
        `${originOf(this.server)}`,
    );
  }

  #updateButtons({ name, state }) {
    // Without the column of buttons when there are no buttons.
    mark(this.wide, 'colspan', document.documentElement.dataset.access === 'read' ? '8' : '9');
    const out = state === 'draining' || state === 'maintenance';
    const labels = [
      [this.drain, 'Drain', `Drain ${name}`],
      [this.enable, 'Enable', `Enable ${name}`],
      [this.reweight, 'Weight', `Change the weight of ${name}`],
    ];
    for (const [button, text, label] of labels) {
      say(button, text);
      mark(button, 'aria-label', label);
    }
    // Removing an element must not remove the focus.
    const focused = document.activeElement;
    this.drain.hidden = out;
    this.enable.hidden = !out;
    if (focused === this.drain && out) this.enable.focus();
    if (focused === this.enable && !out) this.drain.focus();
  }
}

/** The texts whose amount is not 0. @param {readonly (readonly [amount: number, text: string])[]} notes */
function sayWhere(notes, joint = ', ') {
  return notes
    .filter(([amount]) => amount > 0)
    .map(([, text]) => text)
    .join(joint);
}

/** Where a server comes from that the file does not list. */
function originOf({ from_file: isListed, source }) {
  if (source) return `From ${source}. `;
  return isListed ? '' : 'Added while running. ';
}
