import type { Availability } from '../base/observer.js';
import { atOnce, type Steps } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import type { ServerConfig } from '../config/types.js';
import { readServer, writeServer } from './server-entry.js';
import type { NewServer } from './status/operations.js';

/** A server that a route has and the file does not give it, or the other way round. */
export interface Move {
  readonly route: string;
  readonly server: ServerConfig;
}

/** What was changed while running and is not in the file. */
export interface Changes {
  readonly weights: ReadonlyMap<string, number>;
  /** Where it is not `ready`. */
  readonly availability: ReadonlyMap<string, Availability>;
  /**
   * Which weights the file gave the servers in `weights` and `availability` then: a file that says something else has
   * been edited since. A server of which it is not known is not there.
   */
  readonly fileWeights: ReadonlyMap<string, readonly number[]>;
  readonly added: readonly Move[];
  readonly removed: readonly Move[];
}

/** Where changes outlive the process. */
export interface ChangeStore {
  /** Those of the process before; null when there are none. */
  readonly changes: Changes | null;
  /** Called whenever they may be others. Must not throw, nor wait. */
  keep(changes: Changes): void;
}

export const MAX_WEIGHT = 256;
const VERSION = 1;

/** As JSON, for `readChanges`. */
export function writeChanges(changes: Changes): string {
  return atOnce(writeSteps(changes));
}

/** The same in steps: thousands of servers may have been changed. */
export function* writeSteps(changes: Changes): Steps<string> {
  const { weights, availability, fileWeights, added, removed } = changes;
  const parts = [
    `"version": ${VERSION}`,
    `"weights": ${yield* writeMap(weights)}`,
    `"availability": ${yield* writeMap(availability)}`,
    `"file_weights": ${yield* writeMap(fileWeights)}`,
    `"added": ${yield* writeMoves(added)}`,
    `"removed": ${yield* writeMoves(removed.map(withoutTls))}`,
  ];
  return `{\n  ${parts.join(',\n  ')}\n}\n`;
}

/** What is removed is found again by its name and address: files that its settings name may be gone by then. */
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

/** What `writeChanges` wrote. Throws a ValueError or an OperationError for anything else. */
export function readChanges(text: string): Changes {
  const kept = asRecord(parse(text), 'the file');
  if (kept.version !== VERSION) throw new ValueError(`it is of version ${JSON.stringify(kept.version)}`);
  return {
    weights: readMap(kept.weights, 'weights', isWeight),
    availability: readMap(kept.availability, 'availability', isAvailability),
    // Files of earlier versions have none.
    fileWeights: readMap(kept.file_weights ?? {}, 'file_weights', isWeights),
    added: readMoves(kept.added, 'added'),
    removed: readMoves(kept.removed, 'removed'),
  };
}

type JsonRecord = Readonly<Record<string, unknown>>;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ValueError(`it is no JSON: ${(error as Error).message}`);
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
  if (!Array.isArray(value)) throw new ValueError(`${what} is no list`);
  return value.map((item) => {
    const { route, ...settings } = asRecord(item, what);
    if (typeof route !== 'string') throw new ValueError(`${what} has an entry without a route`);
    return { route, server: readServer(settings as unknown as NewServer) };
  });
}

function asRecord(value: unknown, what: string): JsonRecord {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonRecord;
  throw new ValueError(`${what} is no map`);
}

/** Is it a whole number from 0 to 256? */
export function isWeight(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WEIGHT;
}

function isWeights(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isWeight);
}

function isAvailability(value: unknown): value is Availability {
  return value === 'draining' || value === 'maintenance';
}
