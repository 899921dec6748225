import t from 'tap';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import type { LeaseListener, ResponseListener } from '../../lib/servers/contracts.js';
import type { PipelineSlot } from '../../lib/servers/pipelined-connection.js';
import { PipelinedConnections } from '../../lib/servers/pipelined-connections.js';
import type { Pool } from '../../lib/servers/pool.js';
import type { ServerConnection } from '../../lib/servers/server-connection.js';
import { ManualClock } from '../support/manual-clock.js';

const REQUESTER = { isPipelinable: true } as LeaseListener;
const RECEIVER = { onResponseEnd: (): void => {} } as ResponseListener;

/** Slots of one pipeline, and whether its connection is being read. */
function pipelined(t: { teardown(end: () => void): void }, count: number) {
  const state = { isRead: true, responder: RECEIVER };
  const channel = {
    pause(): void {
      state.isRead = false;
    },
    resume(): void {
      state.isRead = true;
    },
  };
  const connection = {
    channel,
    hasRoomFor: () => true,
    assign(receiver: ResponseListener): void {
      state.responder = receiver;
    },
    expect: () => true,
    release: (): void => {},
    discard: (): void => {},
  } as unknown as ServerConnection;
  const idle: ServerConnection[] = [connection];
  const pool = { limits: { pipelining: count }, isFull: false, takeIdle: () => idle.pop() ?? null };
  const wheel = new TimerWheel(new ManualClock());
  t.teardown(() => wheel.close());
  const pipelines = new PipelinedConnections(pool as unknown as Pool, wheel);
  const places = Array.from({ length: count }, () => pipelines.lease(REQUESTER) as PipelineSlot);
  for (const place of places) place.assign(RECEIVER, false);
  return { state, places };
}

t.test('a client that reads nothing pauses its own pipelined response, and none before it', async (t) => {
  const { state, places } = pipelined(t, 3);
  places[1]?.pause();
  t.equal(state.isRead, true, 'the first response is for another client');
  state.responder.onResponseEnd();
  t.equal(state.isRead, false, 'now the response is for this client');
  places[1]?.resume();
  t.equal(state.isRead, true);
});

t.test('after a paused response the next one is read', async (t) => {
  const { state, places } = pipelined(t, 2);
  places[0]?.pause();
  t.equal(state.isRead, false);
  state.responder.onResponseEnd();
  t.equal(state.isRead, true);
  places[1]?.pause();
  state.responder.onResponseEnd();
  t.equal(state.isRead, true);
});

t.test('a paused client that leaves delays no other client', async (t) => {
  const { state, places } = pipelined(t, 2);
  places[0]?.pause();
  places[0]?.discard();
  t.equal(state.isRead, true);
});
