import { Shelf } from './base/shelf.js';
import type { LimitsConfig } from './config/types.js';
import type { HeadLimits } from './http/message-parser.js';
import { RequestParser } from './http/request-parser.js';
import { ResponseParser } from './http/response-parser.js';

/** Objects of requests kept for reuse: as many as are usually in flight at once. */
export const SHELVED = 1024;

export function requestParsers(limits: LimitsConfig): Shelf<RequestParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes, fields: headers, targetBytes: uriBytes };
  return new Shelf(
    SHELVED,
    () => new RequestParser(accepted),
    (parser) => parser.free(),
  );
}

/** Servers may send heads twice as long as clients. */
export function responseParsers(limits: LimitsConfig): Shelf<ResponseParser> {
  const { headerBytes, headers, uriBytes } = limits;
  const accepted: HeadLimits = { headBytes: headerBytes * 2, fields: headers * 2, targetBytes: uriBytes };
  return new Shelf(
    SHELVED,
    () => new ResponseParser(accepted),
    (parser) => parser.free(),
  );
}
