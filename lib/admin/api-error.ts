import { OperationError } from '../control/status/operations.js';

/** A request to the admin listener that is not done; the caller is told all of this as JSON. */
export class ApiError extends Error {
  readonly status: number;
  /** One word for programs: `unknown_server`, `bad_request`, … */
  readonly code: string;
  /** What to do about it, a sentence; may be empty. */
  readonly hint: string;
  /** More lines than fit into a message, as they are shown on a terminal; empty as a rule. */
  readonly details: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { hint?: string; details?: string; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.hint = more.hint ?? '';
    this.details = more.details ?? '';
    this.headers = more.headers ?? {};
  }
}

const STATUS_OF = {
  unknown_server: 404,
  unknown_route: 404,
  duplicate_server: 409,
  last_server: 409,
  unknown_ban: 404,
  bad_value: 400,
  ending: 409,
} as const satisfies Record<OperationError['code'], number>;

/** What the balancer refused, as the caller is told; anything else is a bug of ours and comes back as it is. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof OperationError)) return error;
  return new ApiError(STATUS_OF[error.code], error.code, error.message);
}
