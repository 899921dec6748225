/**
 * Where sockets read into. Nearly all of them share one buffer, since what is read is dealt with before the next read:
 * no memory per connection, and bytes that are still in the caches when they are written on. Only a stream whose peer
 * keeps up with all of that gets a buffer of its own, which can be handed to `write` and comes back when that is done.
 */

/**
 * Bytes of a read by its size: for a crowd whose bytes cost much, what everybody begins with, for a body of some length,
 * for one that goes on and on. The fewer the pieces, the fewer the times that peers are woken: 64 MiB cost 0.7 of what they
 * do in pieces of 256 KiB.
 */
const BYTES = [16 * 1024, 64 * 1024, 256 * 1024, 2048 * 1024] as const;
export type ReadSize = 0 | 1 | 2 | 3;
export const SMALLEST: ReadSize = 0;
/** What everybody begins with. */
export const USUAL: ReadSize = 1;
export const LARGEST: ReadSize = 3;

/**
 * So many streams read in pieces of a size at once. It bounds what may be waiting for slow peers: 16 MiB of each of the
 * larger sizes. Whoever finds no place makes do with a smaller one.
 */
const PLACES = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 64, 8] as const;
/** Free buffers of each size that are kept. */
const MAX_FREE = [0, 64, 16, 8] as const;

const wideReadBuffer = Buffer.allocUnsafeSlow(BYTES[2]);
/** What every socket begins to read into: the beginning of the wide one, so that all are in the caches. */
export const sharedReadBuffer = wideReadBuffer.subarray(0, BYTES[USUAL]);
const smallReadBuffer = wideReadBuffer.subarray(0, BYTES[SMALLEST]);

/** Up to so many bytes a copy gets just the room it needs: ten thousand slow peers that wait for 100 bytes each are 1 MB. */
const SMALL_COPY = 16 * 1024;

const free: readonly [Buffer[], Buffer[], Buffer[], Buffer[]] = [[], [], [], []];
const placesTaken = [0, 0, 0, 0] as [number, number, number, number];
let copies = 0;

/** Places and copies that are out. */
export function readBuffersInUse(): number {
  return placesTaken[2] + placesTaken[LARGEST] + copies;
}

export function bytesOf(size: ReadSize): number {
  return BYTES[size];
}

/** The smallest that holds so many bytes. */
function sizeFor(bytes: number): ReadSize {
  if (bytes <= BYTES[USUAL]) return bytes <= BYTES[SMALLEST] ? SMALLEST : USUAL;
  return bytes <= BYTES[2] ? 2 : LARGEST;
}

export function sizeOf(buffer: Buffer): ReadSize {
  return sizeFor(buffer.length);
}

/** Does the next read of any socket overwrite it? */
export function isShared(buffer: Buffer): boolean {
  return buffer === sharedReadBuffer || buffer === wideReadBuffer || buffer === smallReadBuffer;
}

/** What a stream reads into, which goes back with `giveReadBuffer`: of `size`, or of the largest below with a place left. */
export function takeReadBuffer(size: ReadSize): Buffer {
  let left = size;
  while (placesTaken[left] >= PLACES[left]) left--;
  placesTaken[left]++;
  if (left === LARGEST) return unused(LARGEST);
  if (left === SMALLEST) return smallReadBuffer;
  return left === USUAL ? sharedReadBuffer : wideReadBuffer;
}

/** Gives back what `takeReadBuffer` gave, once nothing refers to its bytes. */
export function giveReadBuffer(buffer: Buffer): void {
  placesTaken[sizeOf(buffer)]--;
  if (!isShared(buffer)) keep(buffer);
}

/** `buffer[start, end)` at the beginning of a buffer that goes back with `giveCopy`; it is there whatever is in use. */
export function copyOfRead(buffer: Buffer, start: number, end: number): Buffer {
  copies++;
  const bytes = end - start;
  const copy = bytes <= SMALL_COPY ? Buffer.allocUnsafeSlow(bytes) : unused(sizeFor(bytes));
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** Gives back what `copyOfRead` gave, once nothing refers to its bytes. */
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
