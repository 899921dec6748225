import { type Fields, isRecord } from '../base/json.js';
import type { Availability } from '../base/observer.js';
import { atOnce, type Steps } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import type { ServerConfig } from '../config/types.js';
import type { HostMaintenance } from '../routing/host-maintenance.js';
import type { AbsentSince } from './absent-servers.js';
import { isHostMaintenance } from './maintained-hosts.js';
import { isWeight } from './server-entry.js';
import { readServer, writeServer } from './server-settings.js';
import type { NewServer } from './status/operations.js';

/** A server that a route has although the file does not list it there, or the reverse. */
export interface Move {
  readonly route: string;
  readonly server: ServerConfig;
}

/** The changes made while running that are not in the file. */
export interface Changes {
  readonly weights: ReadonlyMap<string, number>;
  /** Only servers that are not `ready`. */
  readonly availability: ReadonlyMap<string, Availability>;
  /**
   * The weights that the file had for the servers in `weights` and `availability` when they were changed: a different value
   * now means that the file has been edited since. Servers without known weights are missing.
   */
  readonly fileWeights: ReadonlyMap<string, readonly number[]>;
  readonly added: readonly Move[];
  readonly removed: readonly Move[];
  /** The hosts in maintenance. */
  readonly maintenance: readonly HostMaintenance[];
  /** Since when changed servers are not there; none by default. */
  readonly absent?: AbsentSince;
}

/** Keeps changes beyond the end of the process. */
export interface ChangeStore {
  /** The changes of the previous process; null when there are none. */
  readonly changes: Changes | null;
  /** Called whenever the changes may be different. Must neither throw nor block. */
  keep(changes: Changes): void;
}

const VERSION = 1;

/** Writes changes as JSON, for `readChanges`. */
export function writeChanges(changes: Changes): string {
  return atOnce(writeSteps(changes));
}

/** Like `writeChanges`, in steps: there may be changes of thousands of servers. */
export function* writeSteps(changes: Changes): Steps<string> {
  const { weights, availability, fileWeights, added, removed, maintenance, absent } = changes;
  const parts = [
    `"version": ${VERSION}`,
    `"weights": ${yield* writeMap(weights)}`,
    `"availability": ${yield* writeMap(availability)}`,
    `"file_weights": ${yield* writeMap(fileWeights)}`,
    `"added": ${yield* writeMoves(added)}`,
    `"removed": ${yield* writeMoves(removed.map(withoutTls))}`,
    `"maintenance": ${indented(maintenance, 2)}`,
  ];
  if (absent !== undefined && absent.size > 0) parts.push(`"absent_since": ${yield* writeMap(absent)}`);
  return `{\n  ${parts.join(',\n  ')}\n}\n`;
}

/** Without TLS settings: a removed server is found by name and address, and the files of its settings may be gone. */
function withoutTls({ route, server }: Move): Move {
  return { route, server: { ...server, tls: null } };
}

function* writeMap(map: ReadonlyMap<string, unknown>): Steps<string> {
  const lines: string[] = [];
  for (const [name, value] of map) {
    lines.push(`    ${JSON.stringify(name)}: ${indented(value, 4)}`);
    yield;
  }
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n  }`;
}

function* writeMoves(moves: readonly Move[]): Steps<string> {
  const items: string[] = [];
  for (const { route, server } of moves) {
    items.push(`    ${indented({ route, ...writeServer(server) }, 4)}`);
    yield;
  }
  return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n  ]`;
}

function indented(value: unknown, by: number): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${' '.repeat(by)}`);
}

/** Reads what `writeChanges` wrote. Throws a ValueError or an OperationError for anything else. */
export function readChanges(text: string): Changes {
  const kept = asRecord(parse(text), 'the file');
  if (kept.version !== VERSION) throw new ValueError(`unknown version ${JSON.stringify(kept.version)}`);
  return {
    weights: readMap(kept.weights, 'weights', isWeight),
    availability: readMap(kept.availability, 'availability', isAvailability),
    // Files of earlier versions have no such key.
    fileWeights: readMap(kept.file_weights ?? {}, 'file_weights', isWeights),
    added: readMoves(kept.added, 'added'),
    removed: readMoves(kept.removed, 'removed'),
    // As above.
    maintenance: readMaintenance(kept.maintenance ?? []),
    absent: readMap(kept.absent_since ?? {}, 'absent_since', isTime),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ValueError(`not valid JSON: ${(error as Error).message}`);
  }
}

function readMap<T>(value: unknown, what: string, isGood: (value: unknown) => value is T): Map<string, T> {
  const map = new Map<string, T>();
  for (const [name, item] of Object.entries(asRecord(value, what))) {
    if (!isGood(item)) throw new ValueError(`${what} of ${name} cannot be ${JSON.stringify(item)}`);
    map.set(name, item);
  }
  return map;
}

function readMoves(value: unknown, what: string): readonly Move[] {
  if (!Array.isArray(value)) throw new ValueError(`${what} is not a list`);
  return value.map((item) => {
    const { route, ...settings } = asRecord(item, what);
    if (typeof route !== 'string') throw new ValueError(`${what} has an entry without a route`);
    return { route, server: readServer(settings as unknown as NewServer) };
  });
}

function readMaintenance(value: unknown): readonly HostMaintenance[] {
  if (!Array.isArray(value)) throw new ValueError('maintenance is not a list');
  const bad = value.find((item) => !isHostMaintenance(item));
  if (bad !== undefined) throw new ValueError(`maintenance cannot be ${JSON.stringify(bad)}`);
  return value.map(({ host, since, until, allow }: HostMaintenance) => ({ host, since, until, allow }));
}

function asRecord(value: unknown, what: string): Fields {
  if (isRecord(value)) return value;
  throw new ValueError(`${what} is not a map`);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isWeights(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isWeight);
}

function isAvailability(value: unknown): value is Availability {
  return value === 'draining' || value === 'maintenance';
}
