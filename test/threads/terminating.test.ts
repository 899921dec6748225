import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import t from 'tap';
import type { WorkerRequest } from '../../lib/cli/read-settings.js';
import { NO_OPTIONS } from '../cli/no-options.js';

t.setTimeout(60_000);

/** The thread needs about 0.2 s to load its modules, and then a second or more for a file of this size. */
const HOSTS = 10_000;
/** After these the thread is terminated, in ms. On a slow machine the first ones come before it reads. */
const MOMENTS_MS = [150, 300, 450, 600, 750];

t.test('a thread can be terminated while it reads settings, and the process goes on', async (t) => {
  const file = join(t.testdir(), 'lb.yaml');
  const hosts = Array.from({ length: HOSTS }, (_, index) => ({
    host: `h${index}.example`,
    servers: ['127.0.0.1:9'],
  }));
  writeFileSync(file, JSON.stringify({ hosts }));
  for (const moment of MOMENTS_MS) {
    const { port1, port2 } = new MessageChannel();
    const workerData: WorkerRequest = { options: NO_OPTIONS, file, inColour: false, port: port2 };
    const worker = new Worker(new URL('../../lib/cli/settings-worker.js', import.meta.url), {
      workerData,
      transferList: [port2],
    });
    await once(worker, 'online');
    await pause(moment);
    const ended = once(worker, 'exit');
    t.equal(await worker.terminate(), 1, `terminated after ${moment} ms`);
    await ended;
    port1.close();
  }
});
