import type { ServerResponse } from 'node:http';
import { instanceName } from '../base/instance-name.js';
import type { Clock } from '../base/timer-wheel.js';
import type { StatusEvent } from '../control/status/status.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import type { Call } from './call.js';

/** Browsers open six connections to a host; this is enough for a few people with a few tabs each. */
const MAX_STREAMS = 32;
/** Shorter than common idle timeouts of proxies in between. */
const HEARTBEAT_MS = 15_000;
/** A client that reads so slowly that this many bytes wait is cut off; it reconnects with Last-Event-ID. */
const MAX_BUFFERED = 256 * 1024;

/** Server-sent events: every event as it happens, for every listening client. */
export class EventStream {
  readonly #subject: AdminTarget;
  readonly #clock: Clock;
  readonly #listeners = new Set<ServerResponse>();
  #stop: (() => void) | null = null;

  constructor(subject: AdminTarget, clock: Clock) {
    this.#subject = subject;
    this.#clock = clock;
  }

  /** Takes over the response. Throws an ApiError when there are too many streams. */
  open({ request, response, query }: Call): null {
    if (this.#listeners.size >= MAX_STREAMS)
      throw new ApiError(503, 'too_many_streams', `${MAX_STREAMS} streams of events are open already`, {
        hint: 'Close one, or ask /api/status from time to time.',
        headers: { 'retry-after': '5' },
      });
    const asked = request.headers['last-event-id'] ?? query.get('since');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    if (request.method === 'HEAD') {
      response.end();
      return null;
    }
    response.write('retry: 2000\n\n');
    if (asked !== null) for (const event of this.#missed(String(asked))) response.write(this.#frame(event));
    this.#attach(response);
    return null;
  }

  /** Ends every stream. */
  close(): void {
    for (const response of this.#listeners) response.end();
    this.#listeners.clear();
    this.#rest();
  }

  /** A number above all known ones was sent by a previous process: then every event is new. */
  #missed(asked: string): readonly StatusEvent[] {
    const since = /^\d{1,15}$/.test(asked) ? Number(asked) : 0;
    const all = this.#subject.events(0);
    return since > (all.at(-1)?.id ?? 0) ? all : all.filter(({ id }) => id > since);
  }

  #attach(response: ServerResponse): void {
    this.#listeners.add(response);
    response.on('close', () => this.#detach(response));
    if (this.#stop !== null) return;
    const unsubscribe = this.#subject.subscribe((event) => this.#tell(this.#frame(event)));
    const still = this.#clock.every(HEARTBEAT_MS, () => this.#tell(': still here\n\n'));
    this.#stop = () => {
      unsubscribe();
      still();
    };
  }

  #detach(response: ServerResponse): void {
    this.#listeners.delete(response);
    if (this.#listeners.size === 0) this.#rest();
  }

  #rest(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #tell(text: string): void {
    for (const response of this.#listeners) {
      if (response.writableLength > MAX_BUFFERED) response.destroy();
      else response.write(text);
    }
  }

  /** With the name of this balancer, for programs that read the events of several. */
  #frame(event: StatusEvent): string {
    const told = { ...event, instance: instanceName(this.#subject.config.instance) };
    return `id: ${event.id}\nevent: ${event.what}\ndata: ${JSON.stringify(told)}\n\n`;
  }
}
