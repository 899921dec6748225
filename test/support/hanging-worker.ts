/** A thread of an engine that hangs as soon as it is told to on a channel of its own. */
const channel = new BroadcastChannel('hang');
channel.onmessage = () => {
  channel.postMessage('it hangs');
  for (;;);
};
(channel as unknown as { unref(): void }).unref();
await import('../../lib/threads/engine-worker.js');
