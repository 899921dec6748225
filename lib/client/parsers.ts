import { ObjectPool } from '../base/collections.js';
import type { Clock } from '../base/timer-wheel.js';
import type { LimitsConfig } from '../config/types.js';
import type { HeadLimits } from '../http/message-parser.js';
import { ResponseParser } from '../http/response-parser.js';
import { ClientRequest } from './request.js';

/** Objects of requests kept for reuse: as many as are usually in flight at once. */
export const POOLED_OBJECTS = 1024;

/** Requests of clients, each with a parser that refuses heads beyond `limits`. */
export function clientRequests(limits: LimitsConfig, clock: Clock): ObjectPool<ClientRequest> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes, fields: headers, targetBytes: uriBytes };
  return new ObjectPool(POOLED_OBJECTS, () => new ClientRequest(accepted, clock));
}

/** Parsers of what servers answer: their heads may be twice as long as those of clients. */
export function responseParsers(limits: LimitsConfig): ObjectPool<ResponseParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes * 2, fields: headers * 2, targetBytes: uriBytes };
  return new ObjectPool(POOLED_OBJECTS, () => new ResponseParser(accepted));
}
