/**
 * How sockets are used. `fast`: by the handles below Node's sockets, which Node does not document. `documented`: by
 * `net.Server` and `net.Socket` alone, which costs more CPU per request.
 */
export type SocketMode = 'fast' | 'documented';

/** What those who listen and connect ask for the means of their balancer; settled before anybody does. */
export interface Sockets {
  readonly mode: SocketMode;
}
