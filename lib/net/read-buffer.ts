/**
 * Where sockets read into. All of them share one buffer, since what is read is dealt with before the next read: no
 * memory per idle connection. A body that streams gets a buffer of its own, which can be handed to `write` without a
 * copy and comes back when the write is done; the faster it streams, the larger.
 */

/**
 * Bytes of a buffer by its size: the shared one, one for a body of some length, one for a body that goes on and on.
 * The fewer the pieces, the fewer the times that peers are woken: 64 MiB cost 0.7 of what they do in pieces of 256 KiB.
 */
const BYTES = [64 * 1024, 256 * 1024, 2048 * 1024] as const;
export type BufferSize = 0 | 1 | 2;
export const LARGEST: BufferSize = 2;

/**
 * Buffers of a size in use at once, so that memory stays bounded: 32 MiB in all. Whoever gets none makes do with a
 * smaller one.
 */
const MAX_IN_USE = [Number.POSITIVE_INFINITY, 64, 8] as const;
/** Free ones of the smallest size that are kept. */
const MAX_FREE_SMALL = 64;

const free: readonly [Buffer[], Buffer[], Buffer[]] = [[], [], []];
const inUse = [0, 0, 0] as [number, number, number];

export const SHARED_BYTES = BYTES[0];
export const sharedReadBuffer = Buffer.allocUnsafeSlow(SHARED_BYTES);

/** Buffers that streams hold now. */
export function readBuffersInUse(): number {
  return inUse[0] + inUse[1] + inUse[2];
}

export function bytesOf(size: BufferSize): number {
  return BYTES[size];
}

export function sizeOf(buffer: Buffer): BufferSize {
  return sizeFor(buffer.length);
}

/** The smallest that holds so many bytes. */
function sizeFor(bytes: number): BufferSize {
  if (bytes <= BYTES[0]) return 0;
  return bytes <= BYTES[1] ? 1 : 2;
}

/** A buffer that one stream reads into: of `size`, or of the largest size below of which there are any left. */
export function takeReadBuffer(size: BufferSize): Buffer {
  let left = size;
  while (inUse[left] >= MAX_IN_USE[left]) left--;
  return take(left);
}

function take(size: BufferSize): Buffer {
  inUse[size]++;
  return free[size].pop() ?? Buffer.allocUnsafeSlow(BYTES[size]);
}

/** `buffer[start, end)` at the beginning of a buffer that goes back with `giveReadBuffer`; it is there whatever is in use. */
export function copyOfRead(buffer: Buffer, start: number, end: number): Buffer {
  const copy = take(sizeFor(end - start));
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** Gives back what `takeReadBuffer` gave, once nothing refers to its bytes. */
export function giveReadBuffer(buffer: Buffer): void {
  const size = sizeOf(buffer);
  inUse[size]--;
  const kept = size === 0 ? MAX_FREE_SMALL : MAX_IN_USE[size] - inUse[size];
  if (free[size].length < kept) free[size].push(buffer);
}
