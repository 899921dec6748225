import { count } from '../error-text.js';
import type { Paint } from '../paint.js';
import { type Column, renderTable } from './columns.js';
import { age, grouped, latency, percent } from './figures.js';
import type { ThreadView } from './view.js';

/** Above this, a thread has little left for more requests. */
const BUSY = 0.9;
/** Of more threads than this only the least and the most busy one are shown. */
const MOST_LISTED = 8;

/** A table of the threads; `now` in ms since the epoch. Empty when the process has one thread. */
export function threadTable(
  threads: readonly ThreadView[],
  now: number,
  width: number,
  paint: Paint,
): string {
  return threads.length === 0 ? '' : renderTable(columnsAt(now), threads, width, paint);
}

function columnsAt(now: number): readonly Column<ThreadView>[] {
  return [
    { heading: 'THREAD', right: true, text: ({ number }) => String(number), tint: (_, paint) => paint.bold },
    { heading: 'REQUESTS', right: true, text: ({ requests }) => grouped(requests) },
    { heading: 'CLIENTS', right: true, text: ({ connections }) => grouped(connections) },
    { heading: 'BUSY', right: true, text: ({ busy }) => percent(busy), tint: busyTint },
    { heading: 'LATE BY', right: true, text: ({ loop_delay_ms: ms }) => latency(ms), dispensable: 2 },
    { heading: 'UP', right: true, text: ({ since }) => age(now - since) },
    {
      heading: 'RESTARTS',
      right: true,
      text: ({ restarts }) => (restarts === 0 ? '' : grouped(restarts)),
      tint: (_, paint) => paint.yellow,
      dispensable: 1,
    },
  ];
}

function busyTint({ busy }: ThreadView, paint: Paint): (text: string) => string {
  return busy >= BUSY ? paint.yellow : (text) => text;
}

/** `3 threads  busy 25 % 31 % 12 %  late by 1.5 ms`, or with many: `busy 5 % to 31 %`. */
export function threadLine(threads: readonly ThreadView[], paint: Paint): string {
  const shares = threads.map((thread) => busyTint(thread, paint)(percent(thread.busy)));
  const sorted = threads.map(({ busy }) => busy).sort((one, other) => one - other);
  const busy =
    threads.length <= MOST_LISTED
      ? shares.join(' ')
      : `${percent(sorted[0] ?? 0)} to ${percent(sorted.at(-1) ?? 0)}`;
  const late = threads.reduce((most, { loop_delay_ms: ms }) => Math.max(most, ms), 0);
  const restarts = threads.reduce((sum, thread) => sum + thread.restarts, 0);
  return [
    count(threads.length, 'thread'),
    `busy ${busy}`,
    `late by ${latency(late)}`,
    ...(restarts === 0 ? [] : [paint.yellow(count(restarts, 'restart'))]),
  ].join('  ');
}
