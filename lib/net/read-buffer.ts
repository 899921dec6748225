/**
 * The buffers that sockets read into. Nearly all sockets share one buffer, since bytes are processed before the next
 * read: no memory per connection, and bytes that are still in the caches when they are written on. Only a stream whose
 * peer keeps up with all of that gets its own buffer, which can be passed to `write` and is released when that is done.
 */

/**
 * The lengths of reads by size: for crowds whose bytes are expensive, the usual one, for a body of some length, for an
 * endless one. Fewer pieces wake peers less often: 64 MiB cost 0.7 of what they do in pieces of 256 KiB.
 */
const BYTES = [16 * 1024, 64 * 1024, 256 * 1024, 2048 * 1024] as const;
export type ReadSize = 0 | 1 | 2 | 3;
export const SMALLEST: ReadSize = 0;
/** The size that every socket begins with. */
export const USUAL: ReadSize = 1;
export const LARGEST: ReadSize = 3;

/**
 * How many streams may read with each size at once. This limits the memory that may wait for slow peers: 16 MiB for each
 * of the larger sizes. A stream that finds no buffer uses a smaller size.
 */
const PLACES = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 64, 8] as const;
/** How many free buffers of each size are kept. */
const MAX_FREE = [0, 64, 16, 8] as const;

const wideReadBuffer = Buffer.allocUnsafeSlow(BYTES[2]);
/** The buffer that every socket begins with: the beginning of the wide one, so that all are in the caches. */
export const sharedReadBuffer = wideReadBuffer.subarray(0, BYTES[USUAL]);
const smallReadBuffer = wideReadBuffer.subarray(0, BYTES[SMALLEST]);

/** A copy of at most this many bytes gets an exact buffer: ten thousand slow peers that wait for 100 bytes each are 1 MB. */
const SMALL_COPY = 16 * 1024;

const free: readonly [Buffer[], Buffer[], Buffer[], Buffer[]] = [[], [], [], []];
const placesTaken = [0, 0, 0, 0] as [number, number, number, number];
let copies = 0;

/** Buffers and copies in use. */
export function readBuffersInUse(): number {
  return placesTaken[2] + placesTaken[LARGEST] + copies;
}

export function bytesOf(size: ReadSize): number {
  return BYTES[size];
}

/** The smallest size that holds this many bytes. */
function sizeFor(bytes: number): ReadSize {
  if (bytes <= BYTES[USUAL]) return bytes <= BYTES[SMALLEST] ? SMALLEST : USUAL;
  return bytes <= BYTES[2] ? 2 : LARGEST;
}

export function sizeOf(buffer: Buffer): ReadSize {
  return sizeFor(buffer.length);
}

/** Does the next read of any socket overwrite this buffer? */
export function isShared(buffer: Buffer): boolean {
  return buffer === sharedReadBuffer || buffer === wideReadBuffer || buffer === smallReadBuffer;
}

/**
 * A buffer for a stream, to be released with `giveReadBuffer`: of `size`, or of the largest smaller size that is
 * available.
 */
export function takeReadBuffer(size: ReadSize): Buffer {
  let left = size;
  while (placesTaken[left] >= PLACES[left]) left--;
  placesTaken[left]++;
  if (left === LARGEST) return unused(LARGEST);
  if (left === SMALLEST) return smallReadBuffer;
  return left === USUAL ? sharedReadBuffer : wideReadBuffer;
}

/** Releases a buffer of `takeReadBuffer`, once nothing refers to its bytes. */
export function giveReadBuffer(buffer: Buffer): void {
  placesTaken[sizeOf(buffer)]--;
  if (!isShared(buffer)) keep(buffer);
}

/** A copy of `buffer[start, end)`, at the beginning of a buffer that must be released with `giveCopy`; always available. */
export function copyOfRead(buffer: Buffer, start: number, end: number): Buffer {
  copies++;
  const bytes = end - start;
  const copy = bytes <= SMALL_COPY ? Buffer.allocUnsafeSlow(bytes) : unused(sizeFor(bytes));
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** Releases a buffer of `copyOfRead`, once nothing refers to its bytes. */
export function giveCopy(copy: Buffer): void {
  copies--;
  keep(copy);
}

function unused(size: ReadSize): Buffer {
  return free[size].pop() ?? Buffer.allocUnsafeSlow(BYTES[size]);
}

function keep(buffer: Buffer): void {
  const size = sizeOf(buffer);
  if (buffer.length === BYTES[size] && free[size].length < MAX_FREE[size]) free[size].push(buffer);
}
