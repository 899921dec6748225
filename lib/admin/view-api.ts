import { randomBytes } from 'node:crypto';
import { inShortSlices } from '../base/slices.js';
import type { StatusView } from '../control/status/status-views.js';
import { SECTIONS, type Section, type View, type ViewQuery } from '../control/status/view.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import { type Answer, type Call, json } from './call.js';
import { snakeCase } from './config-view.js';
import type { Traffic } from './traffic.js';
import { differenceOf } from './view-difference.js';

/** The most callers that are remembered, 100 KiB each at most. One that is forgotten gets a whole view the next time. */
const MOST_VIEWERS = 64;
const LONGEST_SEARCH = 200;
/** The most names of routes in a question. */
const MOST_NAMES = 200;
/** The most events in an answer. */
const MOST_EVENTS = 60;

/** A caller that asks again and again, and what it was shown last. */
interface Viewer {
  readonly view: StatusView;
  readonly id: string;
  /** Of the last answer. */
  number: number;
  seen: View | null;
}

const KNOWN = [
  'search',
  'wrong',
  'unfold',
  'fold',
  'offset',
  'route',
  'server',
  'open',
  'close',
  'since',
  'traffic',
  'events',
];

/** Answers with what somebody looks at, and to the same viewer again with what has changed since. */
export class ViewApi {
  readonly #subject: AdminTarget;
  readonly #traffic: Traffic;
  /** By id, in the order in which they asked last. */
  readonly #viewers = new Map<string, Viewer>();

  constructor(subject: AdminTarget, traffic: Traffic) {
    this.#subject = subject;
    this.#traffic = traffic;
  }

  async read({ query, role }: Call): Promise<Answer> {
    const asked = queryOf(query);
    const since = query.get('since') ?? '';
    const trafficSince = wholeIn(query, 'traffic');
    const eventsSince = wholeIn(query, 'events');
    const viewer = this.#viewerOf(since);
    await this.#subject.collectFigures();
    const now = await inShortSlices(viewer.view.readSteps(asked));
    const before = since === versionOf(viewer) ? viewer.seen : null;
    viewer.seen = now;
    viewer.number++;
    return json({
      version: versionOf(viewer),
      is_whole: before === null,
      access: role === 'operator' ? 'change' : 'read',
      ...(snakeCase(differenceOf(before, now)) as object),
      traffic: this.#traffic.points(trafficSince),
      events: this.#eventsSince(eventsSince),
    });
  }

  /** A number above all known ones is of a process before this one: then every event is new. */
  #eventsSince(since: number): readonly unknown[] {
    const all = this.#subject.events(0);
    const known = since > (all.at(-1)?.id ?? 0) ? 0 : since;
    return all.filter(({ id }) => id > known).slice(-MOST_EVENTS);
  }

  #viewerOf(since: string): Viewer {
    const [id = ''] = since.split('.');
    const known = this.#viewers.get(id);
    const viewer = known ?? {
      view: this.#subject.views.open(),
      id: randomBytes(9).toString('base64url'),
      number: 0,
      seen: null,
    };
    this.#viewers.delete(viewer.id);
    this.#viewers.set(viewer.id, viewer);
    for (const other of this.#viewers.keys()) {
      if (this.#viewers.size <= MOST_VIEWERS) break;
      this.#viewers.delete(other);
    }
    return viewer;
  }
}

function versionOf({ id, number }: Viewer): string {
  return `${id}.${number}`;
}

function queryOf(query: URLSearchParams): ViewQuery {
  for (const key of query.keys())
    if (!KNOWN.includes(key)) throw bad(key, 'is unknown', `Known: ${KNOWN.join(', ')}.`);
  const search = query.get('search') ?? '';
  if (search.length > LONGEST_SEARCH) throw bad('search', `may have ${LONGEST_SEARCH} characters`);
  return {
    search: search.trim().toLowerCase(),
    onlyWrong: isSet(query, 'wrong'),
    unfolded: namesIn(query, 'unfold'),
    folded: namesIn(query, 'fold'),
    offset: wholeIn(query, 'offset'),
    route: query.get('route'),
    server: query.get('server'),
    open: sectionsIn(query, 'open'),
    closed: sectionsIn(query, 'close'),
  };
}

function isSet(query: URLSearchParams, key: string): boolean {
  const value = query.get(key) ?? 'false';
  if (value === 'true' || value === 'false') return value === 'true';
  throw bad(key, 'is true or false');
}

function wholeIn(query: URLSearchParams, key: string): number {
  const text = query.get(key) ?? '0';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw bad(key, 'is a whole number');
}

function namesIn(query: URLSearchParams, key: string): ReadonlySet<string> {
  const names = query.getAll(key);
  if (names.length > MOST_NAMES) throw bad(key, `may be given ${MOST_NAMES} times`);
  return new Set(names);
}

function sectionsIn(query: URLSearchParams, key: string): ReadonlySet<Section> {
  const sections = query.getAll(key);
  for (const section of sections)
    if (!(SECTIONS as readonly string[]).includes(section))
      throw bad(key, `cannot be ${JSON.stringify(section)}`, `It is one of ${SECTIONS.join(', ')}.`);
  return new Set(sections as Section[]);
}

function bad(key: string, message: string, hint = ''): ApiError {
  return new ApiError(400, 'bad_value', `${key} ${message}`, { hint });
}
