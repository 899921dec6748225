import { isRecord } from '../base/json.js';

/** An event that an engine reports about a container or a network. */
export interface DockerEvent {
  readonly type: 'container' | 'network' | 'other';
  /** `start`, `kill`, `health_status: healthy`. */
  readonly action: string;
  /** The container. */
  readonly id: string;
  /** Of `kill`: the number of the signal; null when the event has none. */
  readonly signal: number | null;
  /** When it happened, in ms since the epoch by the engine's clock. */
  readonly at: number;
}

/** A longer event is none of ours. */
const MOST_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 10;

/** Reads the stream of events: one JSON object to a line, however the bytes are split. */
export class DockerEventReader {
  #rest: Buffer[] = [];
  #length = 0;

  /** The events that are complete with these bytes. Throws an Error that says what is wrong with the stream. */
  read(bytes: Buffer): DockerEvent[] {
    const events: DockerEvent[] = [];
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
      const line = Buffer.concat([...this.#rest, bytes.subarray(from, end)])
        .toString()
        .trim();
      this.#rest = [];
      this.#length = 0;
      from = end + 1;
      if (line !== '') events.push(parseEvent(line));
    }
    if (from < bytes.length) {
      this.#rest.push(bytes.subarray(from));
      this.#length += bytes.length - from;
      if (this.#length > MOST_BYTES) throw new Error('an event without an end');
    }
    return events;
  }
}

function parseEvent(line: string): DockerEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw new Error('an event that is no JSON');
  }
  if (!isRecord(event)) throw new Error('an event that is no object');
  const actor = isRecord(event.Actor) ? event.Actor : {};
  const attributes = isRecord(actor.Attributes) ? actor.Attributes : {};
  const { Type: type, Action: action, time, timeNano } = event;
  const id = actor.ID ?? event.id;
  const signal = Number(attributes.signal);
  return {
    type: type === 'container' || type === 'network' ? type : 'other',
    action: typeof action === 'string' ? action : '',
    id: typeof id === 'string' ? id : '',
    signal: attributes.signal !== undefined && Number.isInteger(signal) ? signal : null,
    at: typeof timeNano === 'number' ? timeNano / 1e6 : typeof time === 'number' ? time * 1000 : 0,
  };
}
