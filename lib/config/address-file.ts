import { AddressCollector } from '../base/address-collector.js';
import type { AddressTables } from '../base/address-set.js';
import { MAX_LIST_BYTES, whyUnreadable } from '../base/regular-file.js';
import { ValueError } from '../base/units.js';
import { type Network, parseNetwork, plainNetwork } from './network.js';
import type { Report } from './report.js';
import type { Path } from './tree.js';

/** How many bad lines of one file are reported; a file of another kind has thousands. */
const MAX_BAD_LINES = 5;
const HASH = 0x23;
const SPACE = 0x20;

/** The addresses of a file. A million of them take 8 MB, or 32 MB with IPv6. */
export interface AddressFile {
  /** The name of the file, as written in the settings. */
  readonly file: string;
  /** The number of lines that hold an address or a block. */
  readonly entries: number;
  /** For `AddressSet.of`. */
  readonly ranges: AddressTables;
}

/** One address or block of a list, or all those of a file. */
export type AddressEntry = Network | AddressFile;

/** The content of a file and its faults: both are the same wherever the settings name the file. */
export interface AddressReading {
  readonly found: AddressFile;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What the compiler has to provide so that such files can be read. */
export interface AddressFileReader {
  readonly report: Report;
  readonly readFile: (name: string, maxBytes: number) => string;
  /** The files that were read, by name. */
  readonly lists: Map<string, AddressReading>;
}

/** Reads the file named at `path`, once for all settings that name it. */
export function readAddressFile(
  file: string,
  path: Path,
  { report, readFile, lists }: AddressFileReader,
): AddressFile {
  let reading = lists.get(file);
  if (reading === undefined) {
    reading = readLines(file, report.attempt(path, () => textOf(file, readFile)) ?? '');
    lists.set(file, reading);
  }
  for (const problem of reading.problems) report.problem(path, problem);
  for (const warning of reading.warnings) report.warning(path, warning);
  return reading.found;
}

function textOf(file: string, readFile: AddressFileReader['readFile']): string {
  try {
    return readFile(file, MAX_LIST_BYTES);
  } catch (error) {
    throw new ValueError(`${file} cannot be read: ${whyUnreadable(error)}`);
  }
}

function readLines(file: string, text: string): AddressReading {
  const collector = new AddressCollector();
  const problems: string[] = [];
  const warnings: string[] = [];
  let entries = 0;
  let bad = 0;
  let line = 0;
  for (let start = 0; start < text.length; line++) {
    const feed = text.indexOf('\n', start);
    const next = feed === -1 ? text.length : feed;
    const first = firstOf(text, start, next);
    const end = endOf(text, first, next);
    start = next + 1;
    if (first === end) continue;
    const added = collector.add(text, first, end);
    if (added === 'added') {
      entries++;
      continue;
    }
    const place = `${file}:${line + 1}`;
    const entry = text.slice(first, end);
    if (added === 'wide') {
      entries++;
      if (warnings.length < MAX_BAD_LINES)
        warnings.push(`${place}: ${entry} is the whole network ${plainNetwork(parseNetwork(entry))}`);
    } else if (++bad <= MAX_BAD_LINES) problems.push(`${place}: ${complaint(entry)}`);
  }
  if (bad > MAX_BAD_LINES) problems.push(`${file} has ${bad - MAX_BAD_LINES} more bad lines`);
  const ranges = { v4: collector.rangesV4(), v6: collector.rangesV6() };
  return { found: { file, entries, ranges }, problems, warnings };
}

/** Why a line is not an address. */
function complaint(entry: string): string {
  try {
    parseNetwork(entry);
    return `${JSON.stringify(entry)} is not an address`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Where the text of the line begins; a byte order mark counts as blank. */
function firstOf(text: string, start: number, end: number): number {
  let first = start;
  while (first < end && isBlank(text.charCodeAt(first))) first++;
  return first;
}

/** Where the entry ends: before a comment and the blanks in front of it. */
function endOf(text: string, first: number, end: number): number {
  let last = first;
  while (last < end && text.charCodeAt(last) !== HASH) last++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  return last;
}

function isBlank(code: number): boolean {
  return code <= SPACE || code === 0xa0 || code === 0xfeff;
}
