import { AddressSet } from '../base/address-set.js';
import type { RequestRecord } from '../base/observer.js';
import { parseDuration, ValueError } from '../base/units.js';
import { parseHostName } from '../config/host-name.js';
import { parseNetwork } from '../config/network.js';
import { parseStatusRange, statusIn } from '../config/statuses.js';
import type { HostName, StatusRange } from '../config/types.js';

/** The filters for requests; a request has to match all that are given. */
export const REQUEST_FILTERS = ['host', 'path', 'status', 'server', 'client', 'min_duration'] as const;

export type RequestFilterName = (typeof REQUEST_FILTERS)[number];

/** Chooses settled requests by what a person asks for. */
export class RequestFilter {
  readonly #host: HostName | null;
  /** The parts of a path between its stars; null: any path. */
  readonly #path: readonly string[] | null;
  readonly #statuses: readonly StatusRange[] | null;
  readonly #server: string | null;
  readonly #clients: AddressSet | null;
  readonly #minMs: number;

  /**
   * `host`: a name or `*.name`; `path`: its beginning, with a star for anything; `status`: `404`, `5xx`, `400-499`, or several
   * with commas; `server`: a name; `client`: an address or CIDR; `min_duration`: `200ms`. Throws a ValueError.
   */
  constructor(asked: { readonly [name in RequestFilterName]?: string | null }) {
    const { host = null, path = null, status = null, server = null, client = null } = asked;
    const { min_duration: minDuration = null } = asked;
    this.#host = host === null ? null : parseHostName(host);
    this.#path = path === null ? null : path.split('*');
    this.#statuses = status === null ? null : status.split(',').map(readStatus);
    this.#server = server;
    this.#clients = client === null ? null : new AddressSet([parseNetwork(client).text]);
    this.#minMs = minDuration === null ? 0 : parseDuration(minDuration);
  }

  keeps(record: RequestRecord): boolean {
    if (record.durationMs < this.#minMs) return false;
    if (this.#statuses !== null && !statusIn(this.#statuses, record.status)) return false;
    if (this.#server !== null && !wasAsked(record, this.#server)) return false;
    if (this.#host !== null && !isHost(this.#host, record.host)) return false;
    if (this.#path !== null && !isLike(pathOf(record.target), this.#path)) return false;
    return this.#clients === null || this.#clients.has(record.clientAddress);
  }
}

function readStatus(text: string): StatusRange {
  const [, hundreds] = /^([1-5])xx$/i.exec(text.trim()) ?? [];
  if (hundreds !== undefined) return { from: Number(hundreds) * 100, to: Number(hundreds) * 100 + 99 };
  if (text.trim() === '0') return { from: 0, to: 0 };
  try {
    return parseStatusRange(text.trim());
  } catch {
    throw new ValueError(`expected a status such as 404, 5xx or 400-499, got ${JSON.stringify(text)}`);
  }
}

/** Did the server answer, or was it tried? */
function wasAsked({ server, tries }: RequestRecord, name: string): boolean {
  return server === name || tries.some((attempt) => attempt.server === name);
}

/** `field`: Host as received. */
function isHost(name: HostName, field: string): boolean {
  const host = field.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
  return name.kind === 'exact' ? host === name.name : host.endsWith(name.suffix);
}

function pathOf(target: string): string {
  const [path = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1);
  return path;
}

/** Does the text begin with the first part, and have the others in their order? */
function isLike(text: string, [first = '', ...others]: readonly string[]): boolean {
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return true;
}
