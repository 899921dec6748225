import { setTimeout as delay } from 'node:timers/promises';
import { closedOf, openIdle } from './idle.js';
import { connectionsAccepted, coreBusy, cpuBetween, cpuTime, memory } from './measure.js';
import type { RunningPeer } from './peer.js';
import type { IdleLoad, RequestLoad, StreamLoad } from './row.js';
import { stream } from './stream.js';
import { wrk } from './wrk.js';

/** One peer at one row's work, once. */
export interface Sample {
  /** What the row counts: µs of CPU time per request or MiB, KiB of memory per connection. */
  readonly cost: number;
  /** Bytes, at the end of the work and under it. */
  readonly rss: number;
  readonly pss: number;
  /** In words, empty when nothing is to be said. */
  readonly remark: string;
  /** Absent where nothing but memory was measured. */
  readonly work?: WorkSample;
}

export interface WorkSample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The two parts of the cost. */
  readonly user: number;
  readonly system: number;
  /** Shares (0 to 1) of the balancer's processor: its own, and of all others on it. */
  readonly busy: number;
  readonly others: number;
  /** Connections accepted per request, on both sides of the balancer. */
  readonly opened: number;
}

const SETTLE_MS = 1500;

/** Works the peer for some seconds and takes the difference of its processor time. */
export async function workTrial(
  load: RequestLoad | StreamLoad,
  peer: RunningPeer,
  core: number,
  seconds: number,
  folder: string,
): Promise<Sample> {
  const startedAt = performance.now();
  const connectionsBefore = connectionsAccepted();
  const coreBefore = coreBusy(core);
  const cpuBefore = cpuTime(peer.child.pid);
  const running = load.kind === 'stream' ? stream(load, peer, seconds) : wrk(load, peer, seconds, folder);
  const underLoad = delay(seconds * 900).then(() => memory(peer.child.pid));
  const outcome = await running;
  const cpu = cpuBetween(cpuBefore, cpuTime(peer.child.pid));
  const elapsedMicros = (performance.now() - startedAt) * 1000;
  const all = core < 0 ? cpu.total : coreBusy(core) - coreBefore;
  if (!peer.child.running) throw new Error(`${peer.name} ended: ${peer.child.complaint}`);
  if (outcome.units === 0) throw new Error(`${peer.name} answered nothing: ${outcome.failures}`);
  const accepted = connectionsAccepted() - connectionsBefore;
  return {
    cost: cpu.total / outcome.units,
    ...(await underLoad),
    remark: outcome.failures,
    work: {
      perSecond: outcome.units / outcome.seconds,
      p50Ms: outcome.p50Ms,
      p99Ms: outcome.p99Ms,
      user: cpu.user / outcome.units,
      system: cpu.system / outcome.units,
      busy: cpu.total / elapsedMicros,
      others: Math.max(0, all - cpu.total) / elapsedMicros,
      opened: openedPerRequest(load, accepted, outcome.units),
    },
  };
}

/**
 * The resident memory of an idle connection: that of a peer with twice as many, less that with the first ones. The first ones fill
 * memory that was left free after the start, up to 15 MiB of Node's: measured alone they would say more about the start.
 */
export async function idleTrial(load: IdleLoad, peer: RunningPeer): Promise<Sample> {
  const sockets = await openIdle(load, peer);
  try {
    await delay(SETTLE_MS);
    const before = memory(peer.child.pid);
    sockets.push(...(await openIdle(load, peer)));
    await delay(SETTLE_MS);
    const after = memory(peer.child.pid);
    const closed = closedOf(sockets);
    return {
      cost: (after.rss - before.rss) / load.connections / 1024,
      ...after,
      remark: closed > 0 ? `closed ${closed} of the idle connections` : '',
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/**
 * TCP connections per request beyond those every client starts with: its own, and one to an origin.
 */
function openedPerRequest(load: RequestLoad | StreamLoad, accepted: number, units: number): number {
  const atStart = load.connections * (load.kind === 'requests' && load.opens === 1 ? 1 : 2);
  return Math.max(0, accepted - atStart) / units;
}
