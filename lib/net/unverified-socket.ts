import { connect, type Socket } from 'node:net';
import * as tls from 'node:tls';
import type { Address } from '../base/address.js';

/**
 * A socket of Node's to a balancer on this machine, to ask whether it is alive. `greeting` (latin1) is sent first. The
 * certificate is not verified: it is the balancer's, with any names, and whether it has expired is another question.
 */
export function openSocket(address: Address, greeting: string, isSecure: boolean): Socket {
  const socket = address.kind === 'unix' ? connect(address.path) : connect(address.port, address.host);
  if (greeting !== '') socket.write(greeting, 'latin1');
  return isSecure ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
}
