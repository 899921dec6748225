/**
 * Where sockets read into. All of them share one buffer, since what is read is dealt with before the next read: no
 * memory per idle connection. A body that streams in large pieces gets a buffer of its own, which can be handed to
 * `write` without a copy and comes back when the write is done.
 */

export const SHARED_BYTES = 64 * 1024;
/** 64 MiB through 256 KiB reads cost 19 ms of CPU, through 64 KiB ones 27 ms. */
const LARGE_BYTES = 256 * 1024;
/** Large buffers in use at once; beyond that, streams make do with small ones, so that memory stays bounded. */
const MAX_LARGE = 64;
/** Free small buffers that are kept. */
const MAX_FREE = 64;

const freeSmall: Buffer[] = [];
const freeLarge: Buffer[] = [];
let largeInUse = 0;
let smallInUse = 0;

export const sharedReadBuffer = Buffer.allocUnsafeSlow(SHARED_BYTES);

/** Buffers that streams hold now. */
export function readBuffersInUse(): number {
  return largeInUse + smallInUse;
}

/** A buffer that one stream reads into; large if wanted and there are any left. */
export function takeReadBuffer(large: boolean): Buffer {
  if (large && largeInUse < MAX_LARGE) {
    largeInUse++;
    return freeLarge.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  }
  smallInUse++;
  return freeSmall.pop() ?? Buffer.allocUnsafeSlow(SHARED_BYTES);
}

/** `buffer[start, end)` at the beginning of a buffer that goes back with `giveReadBuffer`. */
export function copyOfRead(buffer: Buffer, start: number, end: number): Buffer {
  let copy = takeReadBuffer(end - start > SHARED_BYTES);
  if (copy.length < end - start) {
    // All large ones are in use: one more, which is not kept.
    giveReadBuffer(copy);
    largeInUse++;
    copy = Buffer.allocUnsafeSlow(LARGE_BYTES);
  }
  buffer.copy(copy, 0, start, end);
  return copy;
}

export function isLarge(buffer: Buffer): boolean {
  return buffer.length === LARGE_BYTES;
}

/** Gives back what `takeReadBuffer` gave, once nothing refers to its bytes. */
export function giveReadBuffer(buffer: Buffer): void {
  if (isLarge(buffer)) {
    largeInUse--;
    if (largeInUse + freeLarge.length < MAX_LARGE) freeLarge.push(buffer);
  } else {
    smallInUse--;
    if (freeSmall.length < MAX_FREE) freeSmall.push(buffer);
  }
}
