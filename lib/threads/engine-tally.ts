import type { NumberReader, NumberWriter } from '../base/number-stream.js';
import { replayBytes } from '../exchange/relay.js';
import { HANDSHAKE_RESULTS, type HandshakeResult } from '../net/handshake-results.js';
import type { ListenerFigures } from '../net/listeners.js';
import { PROXY_HEADER_RESULTS, type ProxyHeaderResult } from '../net/proxy-header-counts.js';

/** The kinds of entries of a report about an engine. */
const HANDSHAKE = 20;
const PROXY_HEADER = 21;

/** The figures of an engine that are read when its thread reports. */
export interface ReportedEngine {
  readonly clientCount: number;
  readonly handshakes: ReadonlyMap<string, number>;
  readonly proxyHeaders: ReadonlyMap<string, number>;
  readonly listenerFigures: readonly ListenerFigures[];
}

/** The figures of a listener in one thread. */
export type ListenerReport = Pick<ListenerFigures, 'address' | 'connections' | 'turnedAway'>;

/** What an engine has now. */
export interface EngineGauges {
  readonly clients: number;
  /** Bytes of request bodies that are kept. */
  readonly replayBytes: number;
  readonly listeners: readonly ListenerReport[];
}

export const NO_GAUGES: EngineGauges = { clients: 0, replayBytes: 0, listeners: [] };

/** Reads the figures of an engine, and writes what has changed since the last report. */
export class EngineTally {
  readonly #engine: ReportedEngine;
  readonly #handshakes = new Float64Array(HANDSHAKE_RESULTS.length);
  readonly #proxyHeaders = new Float64Array(PROXY_HEADER_RESULTS.length);
  #gauges = NO_GAUGES;

  constructor(engine: ReportedEngine) {
    this.#engine = engine;
  }

  writeCounts(numbers: NumberWriter): void {
    const { handshakes, proxyHeaders } = this.#engine;
    writeDifferences(HANDSHAKE, HANDSHAKE_RESULTS, handshakes, this.#handshakes, numbers);
    writeDifferences(PROXY_HEADER, PROXY_HEADER_RESULTS, proxyHeaders, this.#proxyHeaders, numbers);
  }

  /** The gauges; always the same object while they are the same. */
  get gauges(): EngineGauges {
    const { clientCount: clients, listenerFigures } = this.#engine;
    const now = { clients, replayBytes: replayBytes(), listeners: listenerFigures.map(reportOf) };
    if (!isSame(now, this.#gauges)) this.#gauges = now;
    return this.#gauges;
  }
}

function reportOf({ address, connections, turnedAway }: ListenerFigures): ListenerReport {
  return { address, connections, turnedAway };
}

function isSame(one: EngineGauges, other: EngineGauges): boolean {
  return (
    one.clients === other.clients &&
    one.replayBytes === other.replayBytes &&
    one.listeners.length === other.listeners.length &&
    one.listeners.every(({ address, connections, turnedAway }, index) => {
      const listener = other.listeners[index] as ListenerReport;
      return (
        listener.address === address &&
        listener.connections === connections &&
        listener.turnedAway === turnedAway
      );
    })
  );
}

/** Writes for each name that has changed: the kind, its index, and what was added. `told` has what was reported. */
function writeDifferences(
  kind: number,
  names: readonly string[],
  counts: ReadonlyMap<string, number>,
  told: Float64Array,
  numbers: NumberWriter,
): void {
  for (let index = 0; index < names.length; index++) {
    const count = counts.get(names[index] as string) ?? 0;
    const before = told[index] as number;
    if (count === before) continue;
    told[index] = count;
    numbers.write(kind);
    numbers.write(index);
    numbers.write(count - before);
  }
}

/** Sums of what the engines of all threads have counted. */
export class EngineSums {
  readonly handshakes = new Map<HandshakeResult, number>(HANDSHAKE_RESULTS.map((result) => [result, 0]));
  readonly proxyHeaders = new Map<ProxyHeaderResult, number>(
    PROXY_HEADER_RESULTS.map((result) => [result, 0]),
  );

  /** Reads one entry; false when it is of a kind that `EngineTally` does not write. */
  read(kind: number, numbers: NumberReader): boolean {
    if (kind === HANDSHAKE) add(this.handshakes, HANDSHAKE_RESULTS[numbers.read()], numbers.read());
    else if (kind === PROXY_HEADER)
      add(this.proxyHeaders, PROXY_HEADER_RESULTS[numbers.read()], numbers.read());
    else return false;
    return true;
  }
}

function add<Name>(sums: Map<Name, number>, name: Name | undefined, count: number): void {
  if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + count);
}
