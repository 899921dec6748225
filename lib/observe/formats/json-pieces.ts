import { latin1 } from '../../base/bytes.js';
import type { AttemptRecord, RequestRecord } from '../../base/observer.js';
import { jsonString } from '../escape.js';
import { isoTime, threeDecimals } from '../timestamps.js';

/**
 * The parts of a line that many requests share, each remembered as one piece of text. V8 concatenates by reference and
 * walks through all pieces when the line is written: with 25 pieces that was half of a line's cost.
 */

/** How many clients and servers have remembered pieces; beyond that the memory is cleared. */
const REMEMBERED = 4096;

/** The start of a line, up to the request's id: the same for all requests of one millisecond. */
export class Beginning {
  #time = Number.NaN;
  #text = '';

  /** `time` in ms since the epoch. */
  at(time: number): string {
    const millisecond = Math.floor(time);
    if (millisecond !== this.#time) {
      this.#time = millisecond;
      this.#text = flat(`{"ts":"${isoTime(time)}","request_id":"`);
    }
    return this.#text;
  }
}

interface Asker {
  readonly method: string;
  readonly text: string;
}

/** The client, method and so on: from the quote after the request's id to the quote before its target. */
export class Askers {
  readonly #known = new Map<string, Asker>();

  of(client: string, method: string): string {
    const known = this.#known.get(client);
    if (known !== undefined && known.method === method) return known.text;
    const text = flat(`","client":${jsonString(client)},"method":${jsonString(method)},"target":"`);
    remember(this.#known, client, { method, text });
    return text;
  }
}

interface Answer {
  readonly host: string;
  readonly route: string;
  readonly status: number;
  readonly protocol: string;
  readonly text: string;
}

/** The status, the server and so on: from the quote after the target to the end of `tries`. */
export class Answers {
  readonly #known = new Map<string, Answer>();

  /** `duration`: the duration of the request, as text. */
  of(record: RequestRecord, duration: string): string {
    const { tries, status } = record;
    const [first] = tries;
    const isUsual =
      record.attempts === 1 && tries.length === 1 && first?.status === status && first.reason === '';
    if (first === undefined || !isUsual) return `${beforeTries(record)}${tries.map(attemptText).join(',')}]`;
    const time = first.durationMs === record.durationMs ? duration : threeDecimals(first.durationMs);
    return `${this.#beginning(record)}${time}${first.reused ? ',"reused":true}]' : ',"reused":false}]'}`;
  }

  #beginning(record: RequestRecord): string {
    const { host, route, status, protocol, server } = record;
    const known = this.#known.get(server);
    if (
      known !== undefined &&
      known.host === host &&
      known.route === route &&
      known.status === status &&
      known.protocol === protocol
    )
      return known.text;
    const text = flat(`${beforeTries(record)}{"server":${jsonString(server)},"result":"${status}","ms":`);
    remember(this.#known, server, { host, route, status, protocol, text });
    return text;
  }
}

/** One entry of `tries`. */
export function attemptText({ server, reason, status, durationMs, reused }: AttemptRecord): string {
  const result = reason || status;
  return `{"server":${jsonString(server)},"result":"${result}","ms":${threeDecimals(durationMs)},"reused":${reused}}`;
}

function beforeTries({ host, protocol, route, status, server, attempts }: RequestRecord): string {
  return (
    `","host":${jsonString(host)},"protocol":"${protocol}","route":${jsonString(route)},"status":${status}` +
    `,"server":${jsonString(server)},"attempts":${attempts},"tries":[`
  );
}

function remember<Item>(known: Map<string, Item>, key: string, item: Item): void {
  if (known.size >= REMEMBERED) known.clear();
  known.set(key, item);
}

/** `text`, which is ASCII, as one piece. */
function flat(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  return latin1(bytes, 0, bytes.length);
}
