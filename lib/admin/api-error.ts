import { OperationError } from '../control/status/operations.js';

/** A request to the admin listener that is refused; the caller gets all of this as JSON. */
export class ApiError extends Error {
  readonly status: number;
  /** A code for programs: `unknown_server`, `bad_request`, … */
  readonly code: string;
  /** What to do about it, in a sentence; may be empty. */
  readonly hint: string;
  /** Further lines, as a terminal shows them; mostly empty. */
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
  unknown_host: 404,
  duplicate_server: 409,
  last_server: 409,
  unknown_ban: 404,
  bad_value: 400,
  upgrading: 409,
  ending: 409,
} as const satisfies Record<OperationError['code'], number>;

/** A refusal of the balancer as an ApiError; any other error is a bug and is returned unchanged. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof OperationError)) return error;
  return new ApiError(STATUS_OF[error.code], error.code, error.message);
}
