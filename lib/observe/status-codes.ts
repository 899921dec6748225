/**
 * The statuses that have a time series of their own, those of the IANA registry: a server can send any three digits. 0:
 * the client was sent nothing.
 */
const REGISTERED = [
  0, 100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
  308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422,
  423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 511,
];
/** For all other statuses of a class. */
const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx', '6xx', '7xx', '8xx', '9xx'];

/** The label of each index: `200`, and `2xx` for a status of the class that is not registered. */
export const CODES: readonly string[] = [...REGISTERED.map(String), ...CLASSES];

/** The index of each status in `CODES`. */
export const STATUS_INDEXES: Readonly<Uint8Array> = Uint8Array.from({ length: 1000 }, (_, status) => {
  const index = REGISTERED.indexOf(status);
  return index === -1 ? REGISTERED.length + Math.floor(status / 100) : index;
});

const digits = Uint8Array.from(CODES, (code) => Number(code[0]));

/** The first digit of the status with this index. */
export function digitOfIndex(index: number): number {
  return digits[index] as number;
}
