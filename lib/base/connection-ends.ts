import { IpAddress, parseIpAddress } from './ip-address.js';

/** The two addresses of a client's connection, as a server is told them in a PROXY header. */
export interface ConnectionEnds {
  /** `IpAddress.unix`: it is no connection of TCP, or gone. */
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

/** Whatever knows them. Asking may cost a system call. */
export interface EndsSource {
  readonly ends: ConnectionEnds;
}

/** What the system calls one end: nothing once the socket is gone. */
export interface SocketEnd {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

export function connectionEnds(peer: SocketEnd, local: SocketEnd): ConnectionEnds {
  return {
    source: ipOf(peer),
    sourcePort: peer.port ?? 0,
    destination: ipOf(local),
    destinationPort: local.port ?? 0,
  };
}

function ipOf({ address }: SocketEnd): IpAddress {
  return (address === undefined ? null : parseIpAddress(address)) ?? IpAddress.unix;
}

/** Nothing is known of them. */
export const NO_ENDS: ConnectionEnds = Object.freeze(connectionEnds({}, {}));
