/**
 * A thread of an engine that measures, while it is told to on a channel of its own, how long it is held at a time: the longest
 * turn of its event loop, in ms of its own processor time, so that it does not matter what else the machine does.
 */
const channel = new BroadcastChannel('meter');
let turning = false;
let longest = 0;
let last = 0;

function used(): number {
  const { user, system } = (
    process as unknown as { threadCpuUsage(): { user: number; system: number } }
  ).threadCpuUsage();
  return (user + system) / 1000;
}

function turn(): void {
  const now = used();
  longest = Math.max(longest, now - last);
  last = now;
  if (turning) setImmediate(turn);
}

channel.onmessage = ({ data }) => {
  if (data === 'begin') {
    turning = true;
    longest = 0;
    last = used();
    setImmediate(turn);
  } else if (data === 'end') {
    turning = false;
    channel.postMessage({ longest });
  }
};
(channel as unknown as { unref(): void }).unref();
await import('../../lib/threads/engine-worker.js');
