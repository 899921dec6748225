import Negotiator from 'negotiator';

/** How much is read: browsers send fewer than ten ranges in fewer than 100 characters. */
const MAX_RANGES = 50;
const MAX_LENGTH = 2000;

/** The first ranges of a field, in lower case; each is whole. */
export function readableOf(text: string): string {
  const whole =
    text.length <= MAX_LENGTH ? text : text.slice(0, Math.max(0, text.lastIndexOf(',', MAX_LENGTH)));
  return whole.split(',', MAX_RANGES).join(',').toLowerCase();
}

/** Of the languages that a client accepts, or of those in `available`: the best first (RFC 9110, 12.5.4). */
export function acceptedLanguages(accepted: string, available?: readonly string[]): string[] {
  return new Negotiator({ headers: { 'accept-language': accepted } }).languages(available && [...available]);
}

/**
 * The index of the media type that a client prefers by its Accept fields; the first where it accepts all alike, or none: a
 * response in another type is better than none (RFC 9110, 12.5.1).
 */
export function preferredType(fields: readonly string[], available: readonly string[]): number {
  if (fields.length === 0 || available.length < 2) return 0;
  const types = available.map((type) => type.replace(/\s*;.*$/s, '').toLowerCase());
  const [best] = new Negotiator({ headers: { accept: readableOf(fields.join(',')) } }).mediaTypes(types);
  return best === undefined ? 0 : types.indexOf(best);
}
