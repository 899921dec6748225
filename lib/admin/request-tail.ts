import type { ServerResponse } from 'node:http';
import type { RequestRecord } from '../base/observer.js';
import type { Clock } from '../base/timer-wheel.js';
import { ValueError } from '../base/units.js';
import { jsonLine } from '../observe/formats/json.js';
import { REQUEST_FILTERS, RequestFilter } from '../observe/request-filter.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import type { Call } from './call.js';

const MAX_STREAMS = 16;
/** Lines are sent this often, in ms: a write for each request would cost more than the request. */
const FLUSH_MS = 100;
/** A line that says nothing, for proxies in between, after this many ms without another. */
const HEARTBEAT_MS = 15_000;
/** No more lines are made while this many bytes wait for a reader. */
const MAX_WAITING = 256 * 1024;
/** Lines of one stream in a flush: 5,000 in a second cost 2 % of a core. */
const MAX_LINES = 500;
/** No more lines of one stream are made for a flush after this many characters: clients choose how long a target is. */
const MAX_TEXT = 1024 * 1024;

/**
 * Live requests for those who ask for them, each as a line of JSON as in the access log. It observes requests only while
 * somebody reads. A slow reader, or one that asks for more than a person or a program can read, misses some, and is told how
 * many: `{"dropped":12}`.
 */
export class RequestTail {
  readonly #subject: AdminTarget;
  readonly #clock: Clock;
  readonly #streams = new Set<TailStream>();
  #stop: (() => void) | null = null;

  constructor(subject: AdminTarget, clock: Clock) {
    this.#subject = subject;
    this.#clock = clock;
  }

  /** Takes over the response. Throws an ApiError for a filter that can't be read, and when there are too many streams. */
  open({ request, response, query }: Call): null {
    const filter = readFilter(query);
    if (this.#streams.size >= MAX_STREAMS)
      throw new ApiError(503, 'too_many_streams', `${MAX_STREAMS} streams of requests are open already`, {
        hint: 'Close one.',
        headers: { 'retry-after': '5' },
      });
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' });
    if (request.method === 'HEAD') {
      response.end();
      return null;
    }
    // The reader knows that it listens.
    response.write('\n');
    const stream = new TailStream(filter, response);
    this.#streams.add(stream);
    response.on('close', () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#rest();
    });
    this.#stop ??= this.#begin();
    return null;
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
    this.#rest();
  }

  #begin(): () => void {
    const unwatch = this.#subject.watchRequests((record) => {
      for (const stream of this.#streams) stream.note(record);
    });
    const still = this.#clock.every(FLUSH_MS, () => {
      for (const stream of this.#streams) stream.flush();
    });
    return () => {
      unwatch();
      still();
    };
  }

  #rest(): void {
    this.#stop?.();
    this.#stop = null;
  }
}

/** One reader. */
class TailStream {
  readonly #filter: RequestFilter;
  readonly #response: ServerResponse;
  #text = '';
  #lines = 0;
  #dropped = 0;
  /** ms without a line. */
  #silent = 0;

  constructor(filter: RequestFilter, response: ServerResponse) {
    this.#filter = filter;
    this.#response = response;
  }

  note(record: RequestRecord): void {
    if (!this.#filter.keeps(record)) return;
    const isFull = this.#lines >= MAX_LINES || this.#text.length > MAX_TEXT;
    if (isFull || this.#response.writableLength > MAX_WAITING) this.#dropped++;
    else {
      this.#lines++;
      this.#text += jsonLine(record);
    }
  }

  flush(): void {
    if (this.#dropped > 0 && this.#response.writableLength <= MAX_WAITING) {
      this.#text += `{"dropped":${this.#dropped}}\n`;
      this.#dropped = 0;
    }
    this.#lines = 0;
    this.#silent += FLUSH_MS;
    if (this.#text === '' && this.#silent >= HEARTBEAT_MS && this.#response.writableLength === 0)
      this.#text = '\n';
    if (this.#text === '') return;
    this.#silent = 0;
    this.#response.write(this.#text);
    this.#text = '';
  }

  end(): void {
    this.flush();
    this.#response.end();
  }
}

function readFilter(query: URLSearchParams): RequestFilter {
  const unknown = [...query.keys()].find((key) => !(REQUEST_FILTERS as readonly string[]).includes(key));
  const hint = `It takes ${REQUEST_FILTERS.join(', ')}.`;
  if (unknown !== undefined) throw new ApiError(400, 'bad_value', `${unknown} is unknown`, { hint });
  try {
    return new RequestFilter(Object.fromEntries(query));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ApiError(400, 'bad_value', error.message, { hint: error.hint });
  }
}
