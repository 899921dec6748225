import type { FieldNames } from './fields.js';

/**
 * Takes the body, piece by piece. A piece is valid during the call only: it lies in a read buffer. The message may be
 * let go of within the call (`release`): nothing more comes then, whatever else was read.
 */
export interface BodyListener {
  /** Names of trailer fields that are not for it; asked when there are trailers. */
  readonly droppedTrailers: FieldNames | null;
  onBodyBytes(buffer: Buffer, start: number, end: number): void;
}

/**
 * What of a chunked body is handed on: `wire` keeps the chunks as they came, so that a body is relayed in one write
 * per read; `content` gives the data alone, for a peer that does not know chunks.
 */
export type BodyForm = 'wire' | 'content';
