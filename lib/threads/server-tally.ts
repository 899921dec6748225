import type { Histogram } from '../base/collections.js';
import type { NumberReader, NumberWriter } from '../base/number-stream.js';
import type { Steps } from '../base/slices.js';
import type { LoadLog, ServerCounters } from '../servers/server-counters.js';

/** The kind of an entry of a report about a server. */
const SERVER_COUNTS = 30;

/** What is counted of a server, in the thread of an engine and in the main thread. */
export interface CountedServer {
  readonly totals: ServerCounters;
  readonly responseTimes: Histogram;
  readonly pool: { opened: number; unsolicited: number };
}

/** A server of an engine: its log has an entry whenever a request on it begins or ends. */
export interface LoggedServer extends CountedServer {
  readonly id: number;
  readonly log: LoadLog;
}

/** What was reported about a server so far. */
interface Told {
  readonly server: LoggedServer;
  readonly number: number;
  readonly scalars: Float64Array;
  readonly responses: Float64Array;
  readonly durations: Float64Array;
}

const SCALARS = 10;

function readScalars({ totals, responseTimes, pool }: CountedServer, into: Float64Array): void {
  into[0] = totals.requests;
  into[1] = totals.failures;
  into[2] = totals.connectFailures;
  into[3] = totals.resets;
  into[4] = totals.retries;
  into[5] = totals.bytesIn;
  into[6] = totals.bytesOut;
  into[7] = pool.opened;
  into[8] = pool.unsolicited;
  into[9] = responseTimes.sum;
}

/**
 * Reports what the servers of an engine have counted. Only servers are looked at on which a request has begun or ended since
 * the report before, by their `LoadLog`; all of them when there were too many requests for the log to have kept them.
 */
export class ServerTally {
  readonly #servers = new Map<number, Told>();
  #log: LoadLog | null = null;
  /** How far the log has been read. */
  #read = 0;
  readonly #now = new Float64Array(SCALARS);

  /** `number`: the one that the server has in all threads. */
  watch(server: LoggedServer, number: number): void {
    if (this.#log === null) {
      this.#log = server.log;
      this.#log.readers++;
      this.#read = this.#log.end;
    }
    this.#servers.set(server.id, {
      server,
      number,
      scalars: new Float64Array(SCALARS),
      responses: new Float64Array(server.totals.responses.length),
      durations: new Float64Array(server.responseTimes.counts.length),
    });
  }

  unwatch(server: LoggedServer): void {
    this.#servers.delete(server.id);
  }

  *write(numbers: NumberWriter): Steps<void> {
    for (const told of this.#changed()) {
      this.#writeServer(told, numbers);
      yield;
    }
  }

  /** Servers that may have changed since the last call. */
  #changed(): Iterable<Told> {
    const log = this.#log;
    if (log === null || log.end === this.#read) return [];
    const from = this.#read;
    this.#read = log.end;
    if (!log.has(from)) return this.#servers.values();
    const changed = new Set<Told>();
    for (let entry = from; entry < log.end; entry++) {
      const told = this.#servers.get(log.at(entry));
      if (told !== undefined) changed.add(told);
    }
    return changed;
  }

  #writeServer({ server, number, scalars, responses, durations }: Told, numbers: NumberWriter): void {
    const now = this.#now;
    readScalars(server, now);
    numbers.write(SERVER_COUNTS);
    numbers.write(number);
    numbers.writeDifferences(now, scalars);
    numbers.writeDifferences(server.totals.responses, responses);
    numbers.writeDifferences(server.responseTimes.counts, durations);
  }
}

/** Adds up in the servers of the main thread what engines have counted. */
export class ServerSums {
  readonly #servers = new Map<number, CountedServer>();
  readonly #scalars = new Float64Array(SCALARS);
  /** Where the counts of a server go that the main thread does not have any more. */
  readonly #nowhere = new Float64Array(100);

  watch(server: CountedServer, number: number): void {
    this.#servers.set(number, server);
  }

  unwatch(number: number): void {
    this.#servers.delete(number);
  }

  /** Reads one entry; false when it is of a kind that `ServerTally` does not write. */
  read(kind: number, numbers: NumberReader): boolean {
    if (kind !== SERVER_COUNTS) return false;
    const server = this.#servers.get(numbers.read());
    const scalars = this.#scalars.fill(0);
    numbers.addSparse(scalars);
    numbers.addSparse(server?.totals.responses ?? this.#nowhere);
    numbers.addSparse(server?.responseTimes.counts ?? this.#nowhere);
    if (server !== undefined) addScalars(server, scalars);
    return true;
  }
}

function addScalars({ totals, responseTimes, pool }: CountedServer, from: Float64Array): void {
  const at = (index: number): number => from[index] as number;
  totals.requests += at(0);
  totals.failures += at(1);
  totals.connectFailures += at(2);
  totals.resets += at(3);
  totals.retries += at(4);
  totals.bytesIn += at(5);
  totals.bytesOut += at(6);
  pool.opened += at(7);
  pool.unsolicited += at(8);
  responseTimes.sum += at(9);
}
