const MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['y', 365 * 86_400_000],
]);
const BYTES = new Map([
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
]);

/** A longer delay makes Node's timers fire at once. */
const LONGEST_DURATION = 2 ** 31 - 1;

/** How people call these units elsewhere. */
const OTHER_NAMES = new Map([
  ...namesOf('ms', 'msec msecs millis millisecond milliseconds'),
  ...namesOf('s', 'sec secs second seconds'),
  ...namesOf('m', 'min mins minute minutes'),
  ...namesOf('h', 'hr hrs hour hours'),
  ...namesOf('d', 'day days'),
  ...namesOf('y', 'year years'),
]);
const OTHER_SIZES = new Map([
  ...namesOf('b', 'byte bytes'),
  ...namesOf('kb', 'k ki kib kilobyte kilobytes'),
  ...namesOf('mb', 'm mi mib meg megabyte megabytes'),
  ...namesOf('gb', 'g gi gib gig gigabyte gigabytes'),
]);

const DURATION = 'a duration such as 5s, 200ms, 1m or 1h';
const SIZE = 'a size such as 64kb or 1mb';

/**
 * Milliseconds of `5s`, `200ms`, `1.5m`, `1h`, `2d`. Throws a ValueError that quotes the text, also for a time longer than
 * a timer can wait (24 days), and for a bare number other than 0: it is not clear whether 5 means seconds.
 */
export function parseDuration(value: string | number): number {
  const ms = parseSpan(value);
  if (ms > LONGEST_DURATION) throw new ValueError(`expected at most 596h, got ${show(value)}`);
  return ms;
}

/** The same for a time that no timer waits for, however long: `365d`, `1y`. */
export function parseSpan(value: string | number): number {
  const ms = measure(value, MS, DURATION, adviseDuration);
  if (ms > 0 && isBare(value))
    throw new ValueError(`expected ${DURATION}, got ${show(value)}`, adviseDuration(value));
  return ms;
}

/** Bytes of `64kb`, `1mb`, `2gb`, `512b` (kb is 1024 bytes, case does not count); a bare number is bytes. */
export function parseSize(value: string | number): number {
  const bytes = measure(value, BYTES, SIZE, adviseSize);
  if (!Number.isSafeInteger(bytes)) throw new ValueError(`expected ${SIZE}, got ${show(value)}`);
  return bytes;
}

/** `20%` as 0.2, from 0 to 1. */
export function parseShare(text: string): number {
  const [, percent] = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text) ?? [];
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100;
  throw new ValueError(`expected a share such as 20%, got ${show(text)}`);
}

/** `5s`, `1.5m`, `200ms`, `1h`: in the largest unit that needs at most one decimal. */
export function formatDuration(ms: number): string {
  return format(ms, MS);
}

/** `64kb`, `1mb`, `300b`. */
export function formatSize(bytes: number): string {
  return format(bytes, BYTES);
}

/**
 * What to write instead of a duration without a unit, with another unit or with several (`30 sec`, `1h30m`); empty if
 * something else is wrong with it.
 */
export function adviseDuration(value: unknown): string {
  return isBare(value) ? `Write ${value}s or ${value}ms.` : adviseAmount(String(value), MS, OTHER_NAMES);
}

/** The same for a size: `10 MB`, `32k`, `8KiB`. */
export function adviseSize(value: unknown): string {
  return adviseAmount(String(value), BYTES, OTHER_SIZES);
}

function adviseAmount(
  text: string,
  units: ReadonlyMap<string, number>,
  others: ReadonlyMap<string, string>,
): string {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?\s*[a-z]{1,12}\s*){1,4}$/i.test(text)) return '';
  const parts: { readonly amount: string; readonly unit: string }[] = [];
  for (const [, amount = '', name = ''] of text.toLowerCase().matchAll(/([\d.]+)\s*([a-z]+)/g)) {
    const unit = units.has(name) ? name : others.get(name);
    if (unit === undefined) return '';
    parts.push({ amount, unit });
  }
  const [first] = parts;
  if (parts.length === 1 && first) return `Write ${first.amount}${first.unit}.`;
  const total = parts.reduce((sum, { amount, unit }) => sum + Number(amount) * units.get(unit)!, 0);
  return `Write ${format(Math.round(total), units)}.`;
}

function namesOf(unit: string, names: string): [string, string][] {
  return names.split(' ').map((name) => [name, unit]);
}

/** A number without a unit. */
function isBare(value: unknown): boolean {
  return /^\d+(\.\d+)?$/.test(String(value));
}

function measure(
  value: string | number,
  units: ReadonlyMap<string, number>,
  expected: string,
  advise: (value: unknown) => string,
): number {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(String(value));
  const factor = match?.[2] === '' ? 1 : units.get(match?.[2]?.toLowerCase() ?? '');
  if (!match || factor === undefined)
    throw new ValueError(`expected ${expected}, got ${show(value)}`, advise(value));
  return Math.round(Number(match[1]) * factor);
}

function format(amount: number, units: ReadonlyMap<string, number>): string {
  let text = `${amount}${units.keys().next().value}`;
  for (const [unit, factor] of units) {
    const scaled = amount / factor;
    if (scaled >= 1 && Number.isInteger(scaled * 10)) text = `${scaled}${unit}`;
  }
  return text;
}

function show(value: string | number): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/**
 * Thrown for a text, in a file or on the command line, that cannot be parsed. `message` says what was expected and what
 * was there, without a full stop; `hint` is a sentence that says what to write, or empty.
 */
export class ValueError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(message);
    this.name = 'ValueError';
    this.hint = hint;
  }
}
