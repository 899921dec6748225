import { Chart } from './chart.js';
import { make, reshape, say, scrollable, shape } from './elements.js';
import { serverButtons, showTags, updateButtons } from './server-row.js';
import { Timeline } from './timeline.js';
import {
  answers,
  count,
  duration,
  inTime,
  milliseconds,
  percent,
  plural,
  rate,
  serverNow,
  stateOf,
  time,
  whatBecomesOf,
  whyOut,
} from './words.js';

const STEP_SECONDS = 10;

/** One route or server alone: its state, its last five minutes, and what happened to it. */
export class Focus {
  /** @param {Element} place @param {{ change: any }} acts */
  constructor(place, acts) {
    this.acts = acts;
    this.server = null;
    this.place = place;
    this.shown = '';
    this.kind = make('p.kind');
    this.name = make('h2.focus-name', { tabindex: -1 });
    this.tags = make('span.tags');
    this.shape = shape('quiet');
    this.state = make('span.word');
    this.why = make('p.aside');
    this.buttons = serverButtons(this);
    this.facts = make('dl.facts');
    this.totals = make('p.totals');
    this.charts = focusCharts();
    this.timeline = new Timeline({ ofServer: true });
    this.timeline.element.className = 'card story';
    const head = make(
      'div.focus-head',
      {},
      make(
        'div',
        {},
        this.kind,
        make('div.focus-title', {}, this.name, this.tags),
        make('span.badge', {}, this.shape, this.state),
        this.why,
      ),
      this.buttons,
    );
    place.append(
      make('p.back', {}, make('a', { href: '#' }, '← All routes and servers')),
      head,
      this.facts,
      scrollable(make('div.charts', {}, ...this.charts.map(({ element }) => element)), 'Charts'),
      this.totals,
      make('h3.story-title', {}, 'Timeline'),
      this.timeline.element,
    );
  }

  /** @param {any} focus @param {readonly any[]} routes @param {readonly any[]} servers */
  update(focus, routes, servers) {
    this.place.hidden = focus === null;
    const shown = focus === null ? '' : `${focus.kind} ${focus.name}`;
    if (shown !== this.shown && focus !== null) this.name.focus({ preventScroll: true });
    this.shown = shown;
    if (focus === null) return;
    const points = focus.history;
    for (const chart of this.charts) chart.update(points, points.at(-1)?.at ?? serverNow());
    this.timeline.show(focus.events);
    if (focus.kind === 'server') this.#showServer(focus, servers);
    else this.#showRoute(focus, routes[0]);
  }

  #showServer({ name, totals }, servers) {
    const [server] = servers;
    if (server === undefined) return;
    this.server = server;
    const known = stateOf(server);
    say(this.kind, `Server ${server.address === name ? '' : server.address}`.trim());
    say(this.name, name);
    showTags(this.tags, server);
    reshape(this.shape, known.tone);
    say(this.state, `${known.word}, ${known.meaning}`);
    say(this.why, whyOut(server) || `for ${duration(serverNow() - server.since)}`);
    this.buttons.hidden = false;
    updateButtons(this, server);
    this.#showFacts([
      ['Requests/s', rate(server.rate)],
      ['Errors', count(server.errors)],
      ['p50', milliseconds(server.p50)],
      ['p99', milliseconds(server.p99)],
      ['Active', `${count(server.active)}${server.waiting > 0 ? `, ${count(server.waiting)} waiting` : ''}`],
      ['Weight', count(server.weight)],
      ['Last check', server.check_ok === null ? 'never' : server.check_result],
      ['Took', milliseconds(server.check_ms)],
      ['Checked', server.check_at === null ? '–' : time(server.check_at)],
      ['Next check', server.next_check_at === null ? '–' : inTime(server.next_check_at)],
    ]);
    const { requests, by_status: byStatus, failures, retries, ejections, spared, unsolicited } = totals;
    const rare = [
      spared > 0 ? `, spared ${plural(spared, 'time')} as the last that could be used` : '',
      unsolicited > 0
        ? `, ${plural(unsolicited, 'connection')} closed because it sent data without a request`
        : '',
    ];
    say(
      this.totals,
      `${answers(requests, byStatus)}. ${plural(failures, 'failed attempt')}, ${count(retries)} retried here, ` +
        `${plural(ejections, 'ejection')}${rare.join('')}.${originOf(server)}`,
    );
  }

  #showRoute({ name }, route) {
    if (route === undefined) return;
    this.server = null;
    this.buttons.hidden = true;
    this.tags.replaceChildren();
    const { match, algorithm, servers, usable, down_since: since, held } = route;
    say(this.kind, match === name ? 'Route' : `Route ${name}`);
    say(this.name, match);
    const tone = since !== null ? 'bad' : usable < servers ? 'warn' : 'good';
    reshape(this.shape, tone);
    say(this.state, since === null ? `${count(usable)} of ${plural(servers, 'server')} in use` : 'Down');
    say(
      this.why,
      since === null
        ? ''
        : `No server takes requests for ${duration(serverNow() - since)}: ${whatBecomesOf(held)}`,
    );
    this.#showFacts([
      ['Requests/s', rate(route.rate)],
      ['Errors', count(route.errors)],
      ['p50', milliseconds(route.p50)],
      ['p99', milliseconds(route.p99)],
      ['Algorithm', algorithm === '' ? '–' : algorithm.replaceAll('_', ' ')],
      ['Since the start', plural(route.requests, 'request')],
    ]);
    say(this.totals, '');
  }

  #showFacts(facts) {
    const known = [...this.facts.querySelectorAll('dd')];
    if (this.facts.dataset.shown !== facts.map(([name]) => name).join()) {
      this.facts.dataset.shown = facts.map(([name]) => name).join();
      this.facts.replaceChildren(
        ...facts.map(([name, text]) => make('div', {}, make('dt', {}, name), make('dd', {}, text))),
      );
      return;
    }
    for (const [index, [, text]] of facts.entries()) say(known[index], text);
  }
}

function focusCharts() {
  const dash = (format) => (value) => (value === null || value === undefined ? '–' : format(value));
  const charts = [
    new Chart({
      title: 'Requests',
      unit: 'per second',
      least: 1,
      format: dash(rate),
      series: [{ name: 'requests', value: ({ requests }) => requests / STEP_SECONDS }],
    }),
    new Chart({
      title: 'Errors',
      unit: 'of requests',
      least: 0.05,
      format: dash(percent),
      series: [
        {
          name: 'errors',
          value: ({ requests, errors }) =>
            requests + errors === 0 ? null : Math.min(1, errors / Math.max(requests, errors)),
        },
      ],
    }),
    new Chart({
      title: 'Latency',
      unit: '',
      least: 2,
      format: milliseconds,
      series: [
        { name: 'p50', value: ({ p50 }) => p50 },
        { name: 'p99', value: ({ p99 }) => p99 },
      ],
    }),
  ];
  charts[1].element.classList.add('errors');
  return charts;
}

/** Where a server comes from that the file does not list. */
function originOf({ from_file: isListed, source }) {
  if (source) return ` From ${source}.`;
  return isListed ? '' : ' Added while running.';
}
