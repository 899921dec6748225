import { Probe } from './probe.js';

/** The server accepts a connection: that is all it is asked. */
export class TcpProbe extends Probe {
  protected override begin(): void {
    this.conclude(true, 'connected');
  }

  onBytes(): void {}
}
