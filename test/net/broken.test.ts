import t from 'tap';
import { Channel, type ChannelOwner } from '../../lib/net/channel.js';
import type { Transport } from '../../lib/net/transport.js';

/** A channel whose writing can be made to fail, and whether it was closed. */
function channelOf(owner: Partial<ChannelOwner>) {
  const state = { isClosed: false, readEnded: false };
  const transport = {
    attach(): void {},
    pause(): void {},
    resume(): void {},
    destroy(): void {
      state.isClosed = true;
    },
    get readEnded(): boolean {
      return state.readEnded;
    },
  };
  return { state, channel: new Channel(transport as unknown as Transport, owner as ChannelOwner) };
}

const BROKEN = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });

t.test('reading goes on after a write has failed', async (t) => {
  const { state, channel } = channelOf({});
  channel.broken(BROKEN);
  t.equal(state.isClosed, false);
  channel.peerEnded();
  t.equal(state.isClosed, true, 'it reads to the end');
});

t.test('a paused reader may read what is left after a write has failed', async (t) => {
  for (const wantsRest of [true, false]) {
    const { state, channel } = channelOf({ wantsRest });
    channel.pause();
    channel.broken(BROKEN);
    t.equal(state.isClosed, !wantsRest);
  }
});

t.test("nothing is read after the peer's end", async (t) => {
  const { state, channel } = channelOf({ wantsRest: true });
  state.readEnded = true;
  channel.broken(BROKEN);
  t.equal(state.isClosed, true);
});
