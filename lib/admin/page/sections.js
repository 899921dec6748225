import { DataTable } from './data-table.js';
import { make, mark, say } from './elements.js';
import {
  count,
  dateOf,
  daysUntil,
  duration,
  milliseconds,
  percent,
  plural,
  serverNow,
  time,
} from './words.js';

const wrongTone = (row) => (row.is_wrong ? 'bad' : null);
const CERTIFICATE_STATES = {
  valid: 'valid',
  expiring: 'expires soon',
  expired: 'expired',
  not_yet_valid: 'not valid yet',
  self_signed: 'not issued yet',
  ordering: 'is ordered',
};
const PROVIDER_STATES = { waiting: 'has not answered yet', current: 'current', failing: 'fails' };

/** The tables beside routes and servers. `aside`: what is to be said of it even while it is closed. */
const SECTION_TERMS = {
  maintenance: {
    title: 'In maintenance',
    aside: ({ sections }) => `${plural(sections.maintenance, 'place')}, requests get 503`,
    columns: ({ endMaintenance }) => [
      { head: 'Host', kind: 'code', text: ({ name }) => (name === '*' ? 'every host' : name) },
      { head: 'Since', text: ({ since }) => time(since) },
      {
        head: 'Ends',
        text: ({ until }) =>
          until === null ? 'when somebody ends it' : `in ${duration(until - serverNow())}`,
      },
      { head: 'Served all the same', kind: 'code', text: ({ allow }) => allow.join(', ') || '–' },
      { head: 'By', text: ({ by }) => (by === 'file' ? 'the settings file' : 'an operator') },
      {
        head: 'Actions',
        text: () => '',
        make: ({ name, by }) =>
          by === 'file'
            ? make('span')
            : rowButton('End', `End the maintenance of ${name}`, () => endMaintenance(name)),
      },
    ],
  },
  certificates: {
    title: 'Certificates',
    aside: ({ sections, certificates_wrong: wrong }) =>
      `${count(sections.certificates)} shown to clients${wrong > 0 ? `, ${count(wrong)} with a problem` : ''}`,
    isWrong: ({ certificates_wrong: wrong }) => wrong > 0,
    columns: () => [
      {
        head: 'Names',
        kind: 'code',
        text: ({ name, names }) => (names > 1 ? `${name} and ${count(names - 1)} more` : name),
      },
      { head: 'Expires', text: ({ not_after: end }) => (end === null ? '–' : dateOf(end)) },
      { head: 'Left', kind: 'number', text: ({ not_after: end }) => (end === null ? '–' : daysUntil(end)) },
      {
        head: 'State',
        text: ({ state, problem }) =>
          [CERTIFICATE_STATES[state] ?? state, problem].filter((text) => text !== '').join('; '),
        tone: wrongTone,
      },
      { head: 'Issuer', text: ({ issuer }) => issuer },
      { head: 'From', text: ({ from }) => from },
    ],
  },
  providers: {
    title: 'Sources of servers',
    aside: ({ sections, providers_failing: failing }) =>
      `${plural(sections.providers, 'source')}${failing > 0 ? `, ${count(failing)} failing` : ''}`,
    isWrong: ({ providers_failing: failing }) => failing > 0,
    columns: () => [
      { head: 'Source', kind: 'code', text: ({ id }) => id },
      { head: 'Servers', kind: 'number', text: ({ servers }) => count(servers) },
      { head: 'Answered', text: ({ answered_at: at }) => (at === null ? 'never' : time(at)) },
      {
        head: 'State',
        text: ({ state, error }) =>
          [PROVIDER_STATES[state] ?? state, error].filter((text) => text !== '').join(': '),
        tone: wrongTone,
      },
    ],
  },
  threads: {
    title: 'Threads',
    aside: threadsAside,
    columns: () => [
      { head: 'Thread', text: ({ id }) => id },
      { head: 'Requests', kind: 'number', text: ({ requests }) => count(requests) },
      { head: 'Clients', kind: 'number', text: ({ connections }) => count(connections) },
      { head: 'Busy', kind: 'number', text: ({ busy }) => percent(busy) },
      { head: 'Late by', kind: 'number', text: ({ loop_delay_ms: late }) => milliseconds(late) },
      { head: 'Up for', kind: 'number', text: ({ since }) => duration(serverNow() - since) },
      { head: 'Restarts', kind: 'number', text: ({ restarts }) => count(restarts) },
    ],
  },
  nodes: {
    title: 'Nodes that share',
    aside: nodesAside,
    isWrong: ({ shared }) => shared !== null && shared.state === 'lost',
    columns: () => [
      { head: 'Node', kind: 'code', text: ({ name, is_self: self }) => (self ? `${name} (this one)` : name) },
      { head: 'Requests/s', kind: 'number', text: ({ rate }) => count(Math.round(rate)) },
      { head: 'Share', kind: 'number', text: ({ share }) => percent(share) },
      {
        head: 'Last heard of',
        text: ({ seen_ms: seen }) => (seen < 2000 ? 'just now' : `${duration(seen)} ago`),
      },
    ],
  },
  bans: {
    title: 'Banned clients',
    aside: ({ sections }) =>
      sections.bans === null ? 'not counted while they are not shown' : plural(sections.bans, 'client'),
    columns: ({ liftBan }) => [
      { head: 'Client', kind: 'code', text: ({ client }) => client },
      { head: 'For', text: ({ until }) => duration(until - serverNow()) },
      { head: 'Until', text: ({ until }) => time(until) },
      {
        head: 'By',
        kind: 'code',
        text: ({ rule, observed }) => (observed ? `${rule} (only observed)` : rule),
      },
      {
        head: 'Actions',
        text: () => '',
        make: ({ client }) => rowButton('Lift', `Lift the ban of ${client}`, () => liftBan(client)),
      },
    ],
  },
  firewall: {
    title: 'Firewall',
    aside: () => 'since the start',
    columns: () => [
      { head: 'Rule', kind: 'code', text: ({ rule }) => rule },
      { head: 'Guard', text: ({ guard }) => guard.replaceAll('_', ' ') },
      { head: 'Refused', kind: 'number', text: ({ refused }) => count(refused) },
      { head: 'Only observed', kind: 'number', text: ({ observed }) => count(observed) },
    ],
  },
};

function rowButton(text, label, act) {
  return make(
    'span.acts',
    {},
    make('button.button.small', { type: 'button', 'aria-label': label, onclick: act }, text),
  );
}

/** `rows`: null while the section is closed. */
function threadsAside({ sections }, rows) {
  const threads = plural(sections.threads, 'thread');
  if (rows === null) return threads;
  const most = Math.max(...rows.map(({ busy }) => busy));
  const restarts = rows.reduce((sum, row) => sum + row.restarts, 0);
  return `${threads}, the busiest ${percent(most)}${restarts === 0 ? '' : `, ${plural(restarts, 'restart')}`}`;
}

function nodesAside({ sections, shared }) {
  if (shared === null || shared.state === 'shared') return plural(sections.nodes, 'node');
  const what = shared.state === 'lost' ? 'Redis is lost' : 'Redis has not answered yet';
  return `${what}, limits are this node's share${shared.error === '' ? '' : `: ${shared.error}`}`;
}

/** The sections below, each of which can be closed: then nothing of it is asked for. */
export class Sections {
  /** @param {Element} place @param {{ toggle: (name: string, isOpen: boolean) => void, liftBan: any, endMaintenance: any }} acts */
  constructor(place, acts) {
    this.sections = Object.entries(SECTION_TERMS).map(([name, terms]) => new Section(name, terms, acts));
    place.append(...this.sections.map(({ element }) => element));
  }

  /** @param {import('./store.js').Store} store */
  update(store) {
    for (const section of this.sections) section.update(store);
  }
}

class Section {
  constructor(name, { title, aside, columns, isWrong = () => false }, acts) {
    this.name = name;
    this.aside = aside;
    this.isWrong = isWrong;
    this.table = new DataTable(title, columns(acts));
    this.note = make('span.aside');
    this.button = make(
      'button.toggle',
      {
        type: 'button',
        'aria-expanded': 'false',
        'aria-controls': `section-${name}`,
        onclick: () => acts.toggle(name, !this.body.hidden),
      },
      make('span.chevron', { 'aria-hidden': 'true' }),
      title,
    );
    this.body = make('div', { id: `section-${name}`, hidden: true }, this.table.element);
    this.element = make(
      'section.section',
      { hidden: true, 'aria-label': title },
      make('div.section-head', {}, make('h2', {}, this.button), this.note),
      this.body,
    );
  }

  update(store) {
    const { facts } = store;
    const rows = store.rows(this.name);
    this.element.hidden = facts.sections[this.name] === 0;
    this.body.hidden = rows === null;
    mark(this.button, 'aria-expanded', String(rows !== null));
    say(this.note, this.aside(facts, rows));
    mark(this.note, 'data-tone', this.isWrong(facts) ? 'bad' : null);
    if (rows !== null) this.table.update(rows, store.total(this.name));
  }
}
