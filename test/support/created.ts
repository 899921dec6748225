import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Test } from 'tap';
import type { Channel } from '../../lib/net/channel.js';
import type { Server } from '../../lib/servers/server.js';

/** What balancers of this thread publish when they make it, by the name of its diagnostics channel. */
interface Created {
  readonly 'lb:server': Server;
  readonly 'lb:channel': Channel;
}

/** Calls `listener` with all that is made from now on, until the test ends; without a test until the process does. */
export function onCreated<Name extends keyof Created>(
  t: Test | null,
  name: Name,
  listener: (made: Created[Name]) => void,
): void {
  const onMessage = (made: unknown): void => listener(made as Created[Name]);
  subscribe(name, onMessage);
  t?.teardown(() => void unsubscribe(name, onMessage));
}
