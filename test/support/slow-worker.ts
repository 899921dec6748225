import { setTimeout as pause } from 'node:timers/promises';
import { Listeners } from '../../lib/net/listeners.js';

/** A thread of an engine that takes half a second longer to open listeners for another configuration. */
const { prepare } = Listeners.prototype;
Listeners.prototype.prepare = async function (...terms) {
  const prepared = await prepare.apply(this, terms);
  await pause(500);
  return prepared;
};
await import('../../lib/threads/engine-worker.js');
