import * as net from 'node:net';
import type { Address } from '../base/address.js';
import { Channel, type ChannelOwner } from './channel.js';
import { READ_INTO, SocketWire } from './socket-wire.js';

/** Told how a dial went. If it fails, `onClose` of the channel's owner is called, with the system's error. */
export interface Dialler extends ChannelOwner {
  onConnect(): void;
}

/**
 * Opens a connection to `address`; what happens next is told to `dialler`. The caller keeps the deadline, and
 * destroys the channel when it passes. Names are looked up by the system, and IPv6 and IPv4 raced.
 */
export function dial(address: Address, dialler: Dialler): Channel {
  const target =
    address.kind === 'unix'
      ? { path: address.path }
      : { host: address.host, port: address.port, noDelay: true };
  const socket = net.connect({ ...target, allowHalfOpen: true, onread: READ_INTO } as net.NetConnectOpts);
  const channel = new Channel(new SocketWire(socket), dialler);
  socket.once('connect', () => {
    dialler.onConnect();
  });
  return channel;
}
