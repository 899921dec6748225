import type { AddressReading } from './address-file.js';
import type { BodyFile } from './body-file.js';
import { type Network, parseNetwork, plainNetwork } from './network.js';
import { each, type Report } from './report.js';
import type { ServerBook } from './servers.js';
import type {
  HostSettings,
  NamesSetting,
  PathSettings,
  RouteSettings,
  Settings,
  TextsSettings,
} from './settings.js';
import type { Path } from './tree.js';
import type { GroupConfig, MaintenanceConfig } from './types.js';

/** The settings that the file, a host, a path and a conditional route have in common. */
export type CommonSettings = Pick<
  RouteSettings,
  keyof RouteSettings & keyof PathSettings & keyof HostSettings & keyof Settings
>;

/** The settings of the file or of a host: those in common, and the routes and paths inside. */
export type ScopeSettings = CommonSettings & Pick<HostSettings, 'language' | 'routes' | 'paths'>;

/** One text, or a list of texts. */
export type OneOrMore = string | readonly string[];

/** What all parts of the compiler share. */
export interface Context {
  readonly report: Report;
  readonly book: ServerBook;
  /** Every server group compiled so far. */
  readonly groups: GroupConfig[];
  /** Every place in maintenance compiled so far. */
  readonly maintenance: MaintenanceConfig[];
  /** The line of a setting; 0 when it is not in the file. */
  readonly lineOf: (path: Path) => number;
  /** Reads a file that the configuration names. Throws a FileError or an error of the system. */
  readonly readFile: (name: string, maxBytes: number, encoding?: 'utf8' | 'latin1') => string;
  /** The absolute path of a file that the configuration names and that is read later. */
  readonly resolveFile: (name: string) => string;
  /** The address files read so far, by name. */
  readonly lists: Map<string, AddressReading>;
  /** The files of bodies read so far, by name. */
  readonly bodies: Map<string, BodyFile>;
}

/** A single item or the items of a list, each with its path. */
export function* oneOrMore(
  setting: OneOrMore | undefined,
  path: Path,
): Generator<[item: string, path: Path]> {
  if (typeof setting === 'string') yield [setting, path];
  else yield* each(setting, path);
}

/** The names and texts of a map, each with its path; numbers and booleans read as they are written. */
export function* texts(
  settings: TextsSettings | undefined,
  path: Path,
): Generator<[name: string, text: string, path: Path]> {
  for (const [name, value] of Object.entries(settings ?? {})) {
    if (value !== undefined) yield [name, String(value), [...path, name]];
  }
}

/** The names of a list, or the keys of a map, each with its path. */
export function* names(setting: NamesSetting | undefined, path: Path): Generator<[name: string, path: Path]> {
  if (isList(setting)) yield* each(setting, path);
  else for (const name of Object.keys(setting ?? {})) yield [name, [...path, name]];
}

/** Reads the networks of a list. One that can't be read is reported and left out. */
export function networks(setting: OneOrMore | undefined, path: Path, report: Report): Network[] {
  const list: Network[] = [];
  for (const [item, itemPath] of oneOrMore(setting, path)) {
    const read = network(item, itemPath, report);
    if (read) list.push(read);
  }
  return list;
}

/** Reads one network. One that can't be read is reported; the result is undefined. */
export function network(text: string, path: Path, report: Report): Network | undefined {
  const read = report.attempt(path, () => parseNetwork(text));
  const plain = read && plainNetwork(read);
  if (plain !== undefined) {
    const [address = ''] = text.split('/');
    report.warning(
      path,
      `${text} is the whole network ${plain}`,
      `Write ${plain}, or ${address} for one address.`,
    );
  }
  return read;
}

function isList(setting: NamesSetting | undefined): setting is readonly string[] {
  return Array.isArray(setting);
}
