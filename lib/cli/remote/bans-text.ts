import { escapeForScreen } from '../../observe/escape.js';
import { clockTime } from '../../observe/timestamps.js';
import { count, humanDuration } from '../error-text.js';
import { type Column, renderTable } from './columns.js';
import type { Look } from './status-text.js';
import type { BansView, BanView } from './view.js';

const COLUMNS: readonly Column<BanView>[] = [
  { heading: 'CLIENT', text: ({ client }) => escapeForScreen(client), tint: (_, paint) => paint.bold },
  { heading: 'LEFT', right: true, text: ({ left_ms }) => humanDuration(left_ms) },
  { heading: 'UNTIL', text: ({ until }) => clockTime(until), dispensable: 1 },
  { heading: 'BY', text: ({ rule }) => escapeForScreen(rule), atLeast: 14 },
  { heading: '', text: ({ observed }) => (observed ? 'only observed' : ''), dispensable: 2 },
];

/** All that `lb bans` shows. */
export function bansText({ total, bans }: BansView, { width, paint }: Look): string {
  if (total === 0) return 'Nobody is banned.\n';
  const more =
    total > bans.length ? `${paint.dim(`and ${count(total - bans.length, 'more client')}`)}\n` : '';
  return renderTable(COLUMNS, bans, width, paint) + more;
}
