import type { Clock } from './base/clock.js';
import { Shelf } from './base/shelf.js';
import { ClientRequest } from './client/request.js';
import type { LimitsConfig } from './config/types.js';
import type { HeadLimits } from './http/message-parser.js';
import { ResponseParser } from './http/response-parser.js';

/** Objects of requests kept for reuse: as many as are usually in flight at once. */
export const SHELVED = 1024;

/** Requests of clients, each with a parser that refuses heads beyond `limits`. */
export function clientRequests(limits: LimitsConfig, clock: Clock): Shelf<ClientRequest> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes, fields: headers, targetBytes: uriBytes };
  return new Shelf(SHELVED, () => new ClientRequest(accepted, clock));
}

/** Parsers of what servers answer: their heads may be twice as long as those of clients. */
export function responseParsers(limits: LimitsConfig): Shelf<ResponseParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes * 2, fields: headers * 2, targetBytes: uriBytes };
  return new Shelf(SHELVED, () => new ResponseParser(accepted));
}
