import { spread } from '../base/timer-wheel.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The times between which an authority wants a certificate to be renewed (RFC 9773, 4.1), in Unix time in ms. */
export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
}

export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * When a certificate is renewed: at two thirds of its lifetime, up to a twentieth of it earlier, so that certificates
 * which were ordered together are not renewed together.
 */
export function renewalTime({ notBefore, notAfter }: Lifetime, random = Math.random): number {
  const life = notAfter - notBefore;
  return notBefore + life * (2 / 3 - random() / 20);
}

/**
 * A time in the window that the authority suggested, each with the same likelihood (RFC 9773, 4.2). A window that reaches
 * beyond the end of the certificate is cut at nine tenths of its lifetime: renewing must still be tried several times.
 */
export function timeInWindow(
  { start, end }: RenewalWindow,
  { notBefore, notAfter }: Lifetime,
  random = Math.random,
): number {
  const latest = notBefore + (notAfter - notBefore) * 0.9;
  return Math.min(start + (end - start) * random(), latest);
}

/** How long until the next try after this many failures in a row: a minute, doubled each time, a day at most. */
export function retryDelay(failures: number, random = Math.random): number {
  return Math.min(spread(MINUTE * 2 ** Math.min(failures - 1, 20), 0.2, random), DAY);
}

/** How long until the authority is asked again for a window of renewal (RFC 9773, 4.3.2). */
export function windowDelay(retryAfterMs: number): number {
  return retryAfterMs === 0 ? 6 * HOUR : Math.min(Math.max(retryAfterMs, MINUTE), DAY);
}

/** After a rate limit without a Retry-After. */
export const RATE_LIMIT_MS = HOUR;

/** How long other names wait after one was refused for a rate limit, which may be one of the account. */
export const RATE_LIMIT_PAUSE_MS = 10 * MINUTE;

/** A restart or a reload does not wait longer than this for the next try: what was wrong may have been mended. */
export const RESTART_DELAY_MS = 5 * MINUTE;
