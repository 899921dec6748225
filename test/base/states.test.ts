import t from 'tap';
import { parseAddress } from '../../lib/base/address.js';
import { NO_ENDS } from '../../lib/base/connection-ends.js';
import { assertMoves, checkMove, type Moves } from '../../lib/base/states.js';
import { Deadline, TimerWheel } from '../../lib/base/timer-wheel.js';
import { CLIENT_CONNECTION_MOVES, ClientConnection, type ClientDeps } from '../../lib/client/connection.js';
import { REQUEST_MOVES } from '../../lib/client/request.js';
import { createConfig } from '../../lib/config/config.js';
import { RELAY_MOVES, Relay, Replay } from '../../lib/exchange/relay.js';
import { ForwardedClient } from '../../lib/http/forwarded.js';
import { CHANNEL_MOVES, Channel, type ChannelOwner } from '../../lib/net/channel.js';
import { RunQueue } from '../../lib/net/loop-tick.js';
import type { SocketWriter, Transport, TransportOwner } from '../../lib/net/transport.js';
import type {
  ConnectionSource,
  PipelineOwner,
  ResponseListener,
  WholeConnection,
} from '../../lib/servers/contracts.js';
import {
  PIPELINE_MOVES,
  PipelinedConnection,
  type PipelineSlot,
} from '../../lib/servers/pipelined-connection.js';
import { SERVER_CONNECTION_MOVES, ServerConnection } from '../../lib/servers/server-connection.js';
import { ManualClock } from '../support/manual-clock.js';
import { createPool, poolSupplies } from '../support/pool.js';

assertMoves();

const { limits, timeouts } = createConfig({ servers: ['127.0.0.1:1'] });

/** A socket that takes everything, and from which the test reads and closes. */
class FakeTransport implements Transport, SocketWriter {
  readonly truncated = false;
  readonly remoteAddress = '192.0.2.1';
  readonly ends = NO_ENDS;
  destroyed = false;
  readEnded = false;
  pending = 0;
  readonly isFull = false;
  owner: TransportOwner | null = null;

  attach(owner: TransportOwner): void {
    this.owner = owner;
  }
  openWriter(): SocketWriter {
    return this;
  }
  pause(): void {}
  resume(): void {}
  readAnew(): void {}
  end(): void {}
  close(): void {
    this.destroy();
  }
  destroy(): void {
    this.destroyed = true;
  }
  reset(): void {
    this.destroyed = true;
  }
  probePeer(): void {}
  writeText(): void {}
  writeBytes(): void {}
  writeBoth(): void {}
  writeNow(): number {
    return 0;
  }
}

const NO_OWNER: ChannelOwner = { onBytes() {}, onEnd() {}, onBlocked() {}, onDrain() {}, onClose() {} };

const LISTENER: ResponseListener = {
  droppedTrailers: null,
  onBodyBytes() {},
  onTrailers() {},
  onInterim() {},
  onResponseHead: () => 'wire',
  onResponseEnd() {},
  onSwitch: () => false,
  onTunnelBytes() {},
  onTunnelEnd() {},
  onServerBlocked() {},
  onServerDrain() {},
  onFailed() {},
};

function wheelFor(t: { teardown(end: () => void): void }): TimerWheel {
  const wheel = new TimerWheel(new ManualClock());
  t.teardown(() => wheel.close());
  return wheel;
}

t.test(
  'every state of every table can be reached from the first, and follows from none by itself',
  async (t) => {
    const tables: { readonly [name: string]: Moves<string> } = {
      channel: CHANNEL_MOVES,
      clientConnection: CLIENT_CONNECTION_MOVES,
      clientRequest: REQUEST_MOVES,
      pipeline: PIPELINE_MOVES,
      relay: RELAY_MOVES,
      serverConnection: SERVER_CONNECTION_MOVES,
    };
    for (const [name, moves] of Object.entries(tables)) {
      const [first = ''] = Object.keys(moves);
      const reached = new Set([first]);
      for (const state of reached) for (const next of moves[state] ?? []) reached.add(next);
      t.same([...reached].sort(), Object.keys(moves).sort(), name);
      for (const [state, next] of Object.entries(moves)) t.notOk(next.includes(state), `${name}: ${state}`);
    }
  },
);

t.test('a move that is not in its table throws and names both states; staying is no move', async (t) => {
  t.throws(() => checkMove(RELAY_MOVES, 'off', 'answering'), {
    message: 'off is never followed by answering',
  });
  t.doesNotThrow(() => checkMove(RELAY_MOVES, 'off', 'asking'));
  t.doesNotThrow(() => checkMove(RELAY_MOVES, 'off', 'off'));
});

t.test(
  'a connection to a server is lent to one request at a time, and ends as a tunnel only when it may',
  async (t) => {
    const deps = poolSupplies(t);
    const open = (): [ServerConnection, FakeTransport] => {
      const transport = new FakeTransport();
      const pool = createPool(t, '127.0.0.1:1', {}, deps);
      return [
        new ServerConnection(pool, deps, (owner) => new Channel(transport, owner), '127.0.0.1'),
        transport,
      ];
    };
    const feed = (transport: FakeTransport, text: string): void => {
      transport.owner?.received(Buffer.from(text, 'latin1'));
    };
    const [connection, transport] = open();
    connection.assign(LISTENER, false);
    t.throws(() => connection.idle(), /asking is never followed by idle/);
    t.throws(() => connection.retire(1000), /asking is never followed by ending/);
    const [other, bytes] = open();
    other.assign(LISTENER, false);
    feed(bytes, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no');
    t.throws(() => other.assign(LISTENER, false), /answering is never followed by asking/);
    feed(bytes, 'k');
    t.doesNotThrow(() => other.release());
    t.doesNotThrow(() => other.assign(LISTENER, false));
    transport.owner?.gone();
    bytes.owner?.gone();
    t.throws(() => other.assign(LISTENER, false), /closed is never followed by asking/);
  },
);

t.test('a channel that is closed is in no other state again', async (t) => {
  const transport = new FakeTransport();
  const channel = new Channel(transport, NO_OWNER);
  channel.end();
  t.doesNotThrow(() => channel.close(), 'after its FIN it may still be closed');
  transport.owner?.gone();
  t.ok(channel.closed);
  t.doesNotThrow(() => channel.writeText('x'), 'what is written then is dropped');
  t.throws(() => transport.owner?.broken(new Error('EPIPE')), /closed is never followed by broken/);
});

t.test(
  'a channel that closes is gone at once when writing fails, without waiting for the peer',
  async (t) => {
    const transport = new FakeTransport();
    const channel = new Channel(transport, NO_OWNER);
    channel.close();
    transport.owner?.broken(new Error('EPIPE'));
    t.ok(transport.destroyed);
    const reading = new FakeTransport();
    new Channel(reading, NO_OWNER);
    reading.owner?.broken(new Error('EPIPE'));
    t.notOk(reading.destroyed, 'else it is read to its end');
  },
);

t.test('a relay answers only what it has asked', async (t) => {
  const wheel = wheelFor(t);
  const deadline = new Deadline(wheel, { onDeadline() {} });
  const relay = new Relay(deadline, new Replay(), timeouts);
  t.throws(() => relay.beginAnswer(0), /off is never followed by answering/);
  t.throws(() => relay.finish(), /off is never followed by finishing/);
  t.throws(() => relay.beginTunnel(), /off is never followed by tunnel/);
  t.throws(() => relay.endFromClient(), /off is never followed by clientEnded/);
});

t.test('a connection that several requests share is given back before it gets another', async (t) => {
  const wheel = wheelFor(t);
  const owner: PipelineOwner<PipelinedConnection, PipelineSlot> = {
    list() {},
    waitsNoLonger() {},
    putPipeline() {},
    takeSlot: () => {
      throw new Error('no request is on it');
    },
    putSlot() {},
  };
  const address = parseAddress('127.0.0.1:1', { defaultHost: '127.0.0.1' });
  const source = { address, mustShrink: false } as unknown as ConnectionSource;
  const pipeline = new PipelinedConnection(source, owner, wheel);
  t.throws(() => pipeline.onDeadline(), /spare is never followed by late/);
  const connection = { discard() {} } as unknown as WholeConnection;
  pipeline.adopt(connection);
  t.throws(() => pipeline.onDeadline(), /ready is never followed by late/);
});

t.test("a client's connection ends in one way", async (t) => {
  const wheel = wheelFor(t);
  const deps: ClientDeps = {
    wheel,
    timeouts,
    limits,
    readiness: null,
    challenges: null,
    requests: null as never,
    handlers: null as never,
    runQueue: new RunQueue(),
    onClosed() {},
  };
  const transports: FakeTransport[] = [];
  const connect = (): ClientConnection =>
    new ClientConnection(deps, new ForwardedClient('192.0.2.1', false), (owner) => {
      const transport = new FakeTransport();
      transports.push(transport);
      return new Channel(transport, owner);
    });
  const one = connect();
  one.closePolitely();
  t.equal(one.state, 'lingering');
  t.doesNotThrow(() => one.closePolitely(), 'it is asked to close twice, and does so once');
  t.throws(() => one.closeAtOnce(), /lingering is never followed by finishing/);
  t.throws(() => one.cut(), /lingering is never followed by cut/);
  const other = connect();
  other.cut();
  t.equal(other.state, 'cut');
  t.throws(() => other.closeAtOnce(), /cut is never followed by finishing/);
  for (const transport of transports) transport.owner?.gone();
  t.equal(one.state, 'closed');
  t.throws(() => one.closeAtOnce(), /closed is never followed by finishing/);
});
