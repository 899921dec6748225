import type * as net from 'node:net';
import type { Channel } from './channel.js';
import { sharedReadBuffer } from './read-buffer.js';

/**
 * What sockets say, passed on to their channels. The listeners are named functions that find the channel through the
 * socket, so that a connection costs no closures.
 */

const CHANNEL = Symbol('channel');
type ChannelSocket = net.Socket & { [CHANNEL]: Channel };

/** From now on `channel` is told what `socket` says; bytes reach it by `READ_INTO`, or by `readByEvents`. */
export function attach(socket: net.Socket, channel: Channel): void {
  (socket as ChannelSocket)[CHANNEL] = channel;
  socket.on('end', onEnd);
  socket.on('drain', onDrain);
  socket.on('error', onError);
  socket.on('close', onClose);
}

let afterRead = false;
let nextBuffer: Buffer | undefined;

/**
 * The `onread` option of a socket that belongs to a channel. `buffer` is asked once when the socket gets its handle,
 * and again behind every read; `callback` runs before that. One pair serves all sockets.
 */
export const READ_INTO = {
  buffer(): Buffer {
    if (!afterRead) return sharedReadBuffer;
    afterRead = false;
    const next = nextBuffer;
    nextBuffer = undefined;
    // Node keeps the buffer it has when it is given none, which its types do not know.
    return next as Buffer;
  },
  callback(this: ChannelSocket, length: number, buffer: Uint8Array): boolean {
    nextBuffer = this[CHANNEL].read(length, buffer as Buffer);
    afterRead = true;
    return true;
  },
};

/** For a socket that could not be given `READ_INTO`. */
export function readByEvents(socket: net.Socket): void {
  socket.on('data', onData);
}

function onData(this: ChannelSocket, chunk: Buffer): void {
  this[CHANNEL].received(chunk);
}

function onEnd(this: ChannelSocket): void {
  this[CHANNEL].peerEnded();
}

function onDrain(this: ChannelSocket): void {
  this[CHANNEL].drained();
}

function onError(this: ChannelSocket, error: NodeJS.ErrnoException): void {
  this[CHANNEL].failed(error);
}

function onClose(this: ChannelSocket): void {
  this[CHANNEL].gone();
}
