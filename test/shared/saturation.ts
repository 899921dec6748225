import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { CountingServer, startThreads } from './pool-threads.js';

/**
 * What it costs that a line of requests is shared: 4 threads with 16 requests each, for 8 connections of one server that
 * answers after 2 ms. Prints how many requests a connection was opened for, the processor time of a request, and how long
 * requests waited: `node dist/test/shared/saturation.js`.
 */
const SECONDS = 5;
const ends: (() => void)[] = [];
const t = { teardown: (end: () => void) => ends.push(end) } as unknown as Test;

const server = await CountingServer.start(t);
server.delay = () => 2;
const { threads } = await startThreads(t, 4, [server], { limits: { maxConnections: 8 } });
for (const thread of threads) thread.tell({ what: 'keep', count: 16 });
await pause(1000);
const count = (): number => threads.reduce((sum, { ended }) => sum + ended.length, 0);
const [requests, connections, from] = [count(), server.accepted, process.cpuUsage()];
const before = threads.map(({ ended }) => ended.length);
await pause(SECONDS * 1000);
const { user, system } = process.cpuUsage(from);
const done = count() - requests;
const waits = threads
  .flatMap(({ ended }, i) => ended.slice(before[i]).map(({ waited }) => waited))
  .sort((one, other) => one - other);
const at = (share: number): string => (waits[Math.floor(share * (waits.length - 1))] as number).toFixed(1);
process.stdout.write(
  `${done} requests, ${(((server.accepted - connections) / done) * 100).toFixed(1)} % with a new connection, ` +
    `${((user + system) / done).toFixed(0)} µs of processor time each; waited ${at(0.5)} ms (median), ${at(0.99)} (99 %), ${at(1)} (most)\n`,
);
for (const end of ends.reverse()) end();
