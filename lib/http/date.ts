let second = -1;
let text = '';

/** The IMF-fixdate of `wallMs` (RFC 9110, 5.6.7), built once per second. */
export function httpDate(wallMs: number): string {
  const now = Math.floor(wallMs / 1000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1000).toUTCString();
  }
  return text;
}
