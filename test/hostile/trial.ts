import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from '../bench/child.js';
import { freePorts, type Placement } from '../bench/machine.js';
import { cpuTime, memory } from '../bench/measure.js';
import { untilReady } from '../bench/reply.js';
import type { Attack } from './attacks.js';
import { Clients } from './clients.js';
import { Helper } from './helper.js';
import type { Origins, Peer } from './peers.js';
import type { Count } from './program/attacker.js';

/** Other clients, each with a request every 10 ms. */
const CLIENTS = 4;
/** From the beginning of an attack, or of the clients, until it is measured. */
const SETTLE_MS = 500;
/** All connections of an attack have sent their head by then. */
const BEGIN_MS = 60_000;

const MEBIBYTE = 2 ** 20;
const MEGABYTE = 1e6;

/** What one peer did in one round of an attack. */
export interface Trial {
  /** ms that requests of other clients took. */
  readonly waits: readonly number[];
  /** Of those, not answered as they should have been. */
  readonly failed: number;
  /** In the attack's unit; NaN where it has none. */
  readonly cost: number;
  /** Does it still run, after all? */
  readonly alive: boolean;
  readonly remark: string;
}

export interface Setting {
  readonly place: Placement;
  readonly origins: Origins;
  /** The program behind `origins.chunks`. */
  readonly chunks: Helper;
  readonly folder: string;
  readonly seconds: number;
}

/** How much of everything there is at one moment. */
interface Reading {
  readonly cpu: number;
  readonly bytes: number;
  readonly answers: number;
}

/** Attacks a peer that knows of no attack before, and sees what its other clients get meanwhile. */
export async function put(peer: Peer, attack: Attack, setting: Setting): Promise<Trial> {
  const { place, origins, folder, seconds } = setting;
  const [port = 0] = await freePorts(1);
  const own = join(folder, `${peer.name}-${attack.name}-${port}`);
  const child = new Child(peer.name, [...place.balancer, ...peer.command(port, origins, own)]);
  const attacker = new Helper('attacker');
  try {
    await untilReady(child, port);
    const clients = new Clients(port, CLIENTS);
    await pause(SETTLE_MS);
    const rss = memory(child.pid).rss;
    const { connections, assault } = attack;
    const begun = await Promise.race([
      attacker.ask({ port, connections, assault }),
      pause(BEGIN_MS, null, { ref: false }),
    ]);
    if (begun === null)
      throw new Error(`${peer.name}: ${attack.title}: the attack had not begun after a minute`);
    await pause(SETTLE_MS);
    clients.begin();
    const before = await read(child, attack, attacker, setting);
    await pause(seconds * 1000);
    const after = await read(child, attack, attacker, setting);
    const grown = (memory(child.pid).rss - rss) / MEBIBYTE;
    await clients.stop();
    return {
      waits: clients.waits,
      failed: clients.failed,
      cost: attack.cost === 'MiB' ? grown : costOf(attack, before, after),
      alive: child.running,
      remark: remarkOn(child),
    };
  } finally {
    await attacker.stop();
    await child.stop();
  }
}

async function read(
  child: Child,
  { bytesFrom }: Attack,
  attacker: Helper,
  { chunks }: Setting,
): Promise<Reading> {
  const { bytes, answers } = (await attacker.ask('count')) as Count;
  const origin = bytesFrom === 'origin' ? ((await chunks.ask('count')) as { bytes: number }) : null;
  return { cpu: cpuTime(child.pid).total, bytes: origin?.bytes ?? bytes, answers };
}

function costOf({ cost }: Attack, before: Reading, after: Reading): number {
  const ms = (after.cpu - before.cpu) / 1000;
  if (cost === 'ms per MB') return ms / ((after.bytes - before.bytes) / MEGABYTE);
  // Of an attack that is not answered at all in its time, all of that went into a request that goes on.
  return cost === null ? Number.NaN : ms / Math.max(1, after.answers - before.answers);
}

function remarkOn(child: Child): string {
  if (!child.running) return `it ended: ${child.complaint}`;
  return /lines are being dropped/.test(child.output) ? 'it lost lines of its log' : '';
}
