import { escapeForScreen } from '../../observe/escape.js';
import { clockTime } from '../../observe/timestamps.js';
import type { Paint } from '../paint.js';
import { type Column, renderTable } from './columns.js';
import { age, grouped, latency, percent } from './figures.js';
import type { ServerView } from './view.js';

const TINTS: { readonly [state in ServerView['state']]: keyof Paint | null } = {
  up: 'green',
  unchecked: null,
  down: 'red',
  ejected: 'red',
  draining: 'yellow',
  maintenance: 'yellow',
};

/** The colour of a state: red for failures, yellow for what an operator has set. */
export function stateTint({ state }: Pick<ServerView, 'state'>, paint: Paint): (text: string) => string {
  const tint = TINTS[state];
  return tint === null ? (text) => text : paint[tint];
}

/** The state in a word: `checking` instead of `up` until the first check is over. */
export function stateWord({ state, last_check }: Pick<ServerView, 'state' | 'last_check'>): string {
  return state === 'up' && last_check === null ? 'checking' : state;
}

export const NAME: Column<ServerView> = {
  heading: 'SERVER',
  text: ({ name }) => escapeForScreen(name),
  tint: (_server, paint) => paint.bold,
  atLeast: 14,
};

export const STATE: Column<ServerView> = { heading: 'STATE', text: stateWord, tint: stateTint };

/** The servers as `lb status` and `lb servers` show them, ready to print. `now` is ms since the epoch. */
export function serverTable(
  servers: readonly ServerView[],
  now: number,
  width: number,
  paint: Paint,
): string {
  const columns: readonly Column<ServerView>[] = [
    NAME,
    { heading: 'ADDRESS', text: addressOf, dispensable: 3, atLeast: 12 },
    STATE,
    { heading: 'SINCE', right: true, text: ({ since }) => age(now - since), dispensable: 2 },
    { heading: 'WEIGHT', right: true, text: weightOf },
    { heading: 'ACTIVE', right: true, text: ({ active }) => grouped(active) },
    {
      heading: 'WAITING',
      right: true,
      text: ({ waiting }) => (waiting === 0 ? '' : grouped(waiting)),
      dispensable: 1,
    },
    { heading: 'CONNS', right: true, text: ({ open }) => grouped(open), dispensable: 7 },
    { heading: 'REQUESTS', right: true, text: ({ totals }) => grouped(totals.requests), dispensable: 6 },
    { heading: 'FAILED', right: true, text: failuresOf, tint: (_, paint) => paint.red, dispensable: 4 },
    { heading: 'ERRORS/MIN', right: true, text: errorsOf, tint: (_, paint) => paint.red, dispensable: 2 },
    { heading: 'SHARE', right: true, text: ({ share }) => percent(share) },
    { heading: 'P50', right: true, text: ({ latency: of }) => latency(of?.p50), dispensable: 8 },
    { heading: 'P99', right: true, text: ({ latency: of }) => latency(of?.p99), dispensable: 5 },
    {
      heading: 'NOTE',
      text: (server) => noteOf(server, now),
      tint: (_, paint) => paint.dim,
      dispensable: 1,
      atLeast: 8,
    },
  ];
  return renderTable(columns, servers, width, paint);
}

/** A check that fails says more than nothing, also of a server that is up. */
function whyOf({ why, last_check: check }: ServerView): string {
  if (why) return escapeForScreen(why);
  return check?.ok === false ? escapeForScreen(check.result) : '';
}

/** Empty when it says no more than the name. */
function addressOf({ name, address, tls }: ServerView): string {
  if (tls) return escapeForScreen(`https://${address}`);
  return name === address ? '' : escapeForScreen(address);
}

/** `3`, or `1/3` during slow start. */
export function weightOf({ weight, effective_weight: effective }: ServerView): string {
  const isStarting = effective > 0 && effective < weight;
  return isStarting ? `${Math.round(effective * 10) / 10}/${weight}` : String(weight);
}

function failuresOf({ totals }: ServerView): string {
  return totals.failures === 0 ? '' : grouped(totals.failures);
}

/** Responses with 5xx and failed attempts of the last minute; empty when there were none. */
export function errorsOf({ errors }: ServerView): string {
  return errors === 0 ? '' : grouped(errors);
}

/** Where a server comes from that the file does not list. */
function originOf({ from_file: isListed, source }: ServerView): string {
  if (source) return escapeForScreen(source);
  return isListed ? '' : 'added';
}

/** Why it is out and until when, and what is special about it. `now` is ms since the epoch. */
export function noteOf(server: ServerView, now: number): string {
  const notes = [
    whyOf(server),
    server.until && server.until > now ? `until ${clockTime(server.until)}` : '',
    server.bound > 0 ? `${grouped(server.bound)} bound` : '',
    server.backup ? 'backup' : '',
    server.tls?.verify === false ? 'certificate not verified' : '',
    originOf(server),
  ];
  return notes.filter((note) => note !== '').join(', ');
}
