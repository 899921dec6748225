import { adviseDuration, adviseSize } from '../base/units.js';

/** A longer list is not written out in a hint. */
const LONGEST_LIST = 60;

/**
 * What to write instead of a value of the wrong kind, where it is plain what was meant: `Write 30s.` for `30 sec`.
 * `expected` is what the schema expects in words; empty when nothing is known.
 */
export function adviseText(value: unknown, expected: string): string {
  if (/\bduration\b/.test(expected)) return adviseDuration(value);
  if (/\ba size\b/.test(expected)) return adviseSize(value);
  if (/^a share\b/.test(expected)) return adviseShare(value);
  if (typeof value !== 'string') return '';
  if (/^an http:\/\/ or https:\/\/ URL\b/.test(expected)) return adviseUrl(value);
  if (/\b(?:true|false)\b/.test(expected)) return adviseSwitch(value);
  if (/^a (?:whole )?number\b|\bnumber of threads\b/.test(expected)) return adviseNumber(value);
  if (/^a list of [^,]* such as\b/.test(expected)) return adviseList(value);
  return '';
}

/** What to write for `on`, `yes`, `off` and `no`, which are texts in YAML 1.2; empty for another text. */
export function adviseSwitch(text: string): string {
  if (/^(?:on|yes|y|enabled?)$/i.test(text)) return 'Write true.';
  return /^(?:off|no|n|none|disabled?)$/i.test(text) ? 'Write false.' : '';
}

/** A share of 1, or a percentage without its sign. */
function adviseShare(value: unknown): string {
  const amount = Number(value);
  if (!/^\d{1,3}(?:\.\d{1,6})?$/.test(String(value)) || amount > 100) return '';
  if (amount === 1) return 'Write 1% or 100%.';
  return `Write ${amount < 1 ? Number((amount * 100).toFixed(4)) : amount}%.`;
}

/** `collector:4318`: a host without the scheme. */
function adviseUrl(text: string): string {
  return /^[\w.-]+(?::\d{1,5})?(?:\/[!-~]*)?$/.test(text) ? 'Put http:// or https:// before it.' : '';
}

/** `1e3`, `10k`, `1_000`, `"100"`: numbers are written in digits. */
function adviseNumber(text: string): string {
  const [, digits = '', factor = ''] = /^(\d{1,3}(?:[_,']?\d{3})*|\d{1,9}|\de\d)([km]?)$/i.exec(text) ?? [];
  if (digits === '') return '';
  const scale = { k: 1000, m: 1_000_000 }[factor.toLowerCase()] ?? 1;
  return `Write ${Number(digits.replace(/[_,']/g, '')) * scale}.`;
}

/** Items in one line, or under each other with a dash that sticks to them. */
function adviseList(text: string): string {
  const items = text.split(/[\s,;]+/).filter((item) => item !== '' && item !== '-');
  if (items.length > 0 && items.every((item) => item.startsWith('-'))) return 'Put a blank after each dash.';
  const list = `[${items.join(', ')}]`;
  // Anything else than plain names and addresses would need quotes.
  return items.length > 0 && list.length <= LONGEST_LIST && items.every((item) => /^[\w.:/-]+$/.test(item))
    ? `Write ${list}.`
    : '';
}
