// What an open status page does to requests, at 10,000 hosts with 1,000 servers: node dist/test/bench/page-open.js [ROUNDS] [SECONDS]
import { get } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { processorTime } from '../../lib/base/processor-time.js';
import { startFleet } from '../admin/fleet-site.js';
import { RawClient } from '../support/client.js';

/** Requests at the same time, and the pause of a client between two. */
const CLIENTS = 8;
const PAUSE_MS = 4;
/** How long a page is open before requests are measured, in ms. */
const OPENING_MS = 2500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends requests for so long; returns how long each took, in ms. */
async function load(port: number, ms: number): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + ms;
  const one = async (): Promise<void> => {
    const client = await RawClient.connect(port);
    while (performance.now() < end) {
      const host = Math.floor(Math.random() * 10_000);
      const began = performance.now();
      client.send(`GET / HTTP/1.1\r\nHost: shop${host - (host % 10)}.example.com\r\n\r\n`);
      await client.response();
      took.push(performance.now() - began);
      await pause(PAUSE_MS);
    }
    client.destroy();
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
  return took;
}

/** What the looking thread has had by now. */
interface Seen {
  readonly updates: number;
  /** Bytes of an update, on average. */
  readonly bytes: number;
}

/** Looks as the page does, every second, and reports what it has seen. In a thread of its own, as a browser would. */
function look(url: string): void {
  let since = '';
  let updates = 0;
  let bytes = 0;
  setInterval(() => {
    get(`${url}api/view?since=${since}&traffic=${Date.now() - 1500}`, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const body = Buffer.concat(pieces);
        since = (JSON.parse(body.toString()) as { version: string }).version;
        if (updates++ > 0) bytes += body.length;
        const seen: Seen = { updates, bytes: Math.round(bytes / Math.max(1, updates - 1)) };
        parentPort?.postMessage(seen);
      });
    });
  }, 1000);
}

/** Opens the page. The function that it returns closes it, and returns what was seen. */
function openPage(url: string): () => Promise<Seen> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url } });
  let seen: Seen = { updates: 0, bytes: 0 };
  worker.on('message', (latest: Seen) => {
    seen = latest;
  });
  return async () => {
    await worker.terminate();
    return seen;
  };
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length * share)] ?? 0;
}

async function main(): Promise<void> {
  const [rounds = 6, seconds = 8] = process.argv.slice(2).map(Number);
  const site = await startFleet(10_000, 1000, { health_check: false });
  for (let server = 0; server < 1000; server++) site.answers.set(site.addressOf(server), { ms: 0 });
  const run = (): Promise<number[]> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { port: site.port, ms: seconds * 1000 },
      });
      worker.once('message', resolve).once('error', reject);
    });
  await run();
  for (let round = 0; round < rounds; round++) {
    const close = round % 2 === 1 ? openPage(site.url) : null;
    // By then the page has been loaded as a whole: what is measured are its updates.
    await pause(OPENING_MS);
    const before = processorTime();
    const took = await run();
    const spent = (processorTime() - before) / took.length;
    const seen = await close?.();
    const page = seen === undefined ? 'no page' : `page open, ${seen.updates} updates of ${seen.bytes} bytes`;
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(took, share).toFixed(2));
    process.stdout.write(
      `p50 ${p50} p99 ${p99} p99.9 ${p999} ms, ${(1000 * spent).toFixed(0)} µs each, ${took.length} requests: ${page}\n`,
    );
  }
  site.close();
}

if (isMainThread) await main();
else if ('url' in workerData) look((workerData as { readonly url: string }).url);
else {
  const { port, ms } = workerData as { readonly port: number; readonly ms: number };
  parentPort?.postMessage(await load(port, ms));
}
