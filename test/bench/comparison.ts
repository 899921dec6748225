import type { Placement } from './machine.js';
import type { Origins } from './origin.js';
import { shortcomings } from './origin.js';
import { type Peer, type RunningPeer, startPeer } from './peer.js';
import { type RequestLoad, ROWS, type Row } from './row.js';
import { idleTrial, type Sample, workTrial } from './trial.js';

/** What every trial of a run has in common. */
export interface Setting {
  readonly place: Placement;
  readonly origins: Origins;
  /** Where peers may write. */
  readonly folder: string;
  readonly seconds: number;
  readonly rounds: number;
  /** Is told what goes on, and what goes wrong. */
  readonly progress: (text: string) => void;
  readonly notice: (text: string) => void;
}

const WARM_UP_SECONDS = 2;

/**
 * One row's samples. Peers take turns within each round, so that what disturbs the machine for a while disturbs
 * them alike. A peer that fails is left out from there on.
 */
export async function compare(
  row: Row,
  peers: readonly Peer[],
  setting: Setting,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(peers.map((peer) => [peer.name, []]));
  const trials = row.load.kind === 'idle' ? idleTrials(row, setting) : workTrials(row, setting);
  const failed = new Set<string>();
  try {
    for (const { name, setups } of peers) {
      if (setups.includes(row.setup)) continue;
      failed.add(name);
      setting.notice(`${row.name}: ${name} left out: it has no such settings`);
    }
    for (let round = 1; round <= setting.rounds; round += 1) {
      // Every other round backwards, so that what grows or fades over a round favours nobody.
      for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
        if (failed.has(peer.name)) continue;
        setting.progress(`${row.name}: round ${round} of ${setting.rounds}, ${peer.name}`);
        try {
          samples.get(peer.name)?.push(await trials.run(peer));
        } catch (error) {
          failed.add(peer.name);
          setting.notice(
            `${row.name}: ${peer.name} failed: ${error instanceof Error ? error.message : error}`,
          );
        }
      }
    }
  } finally {
    await trials.end();
  }
  return samples;
}

/** What a peer lacks of the others' features, for a remark in front of the tables. */
export async function unfairness(peer: Peer, setting: Setting): Promise<string[]> {
  const running = await startPeer(peer, setting.place, setting.origins, setting.folder);
  try {
    return await shortcomings(running.port);
  } finally {
    await running.child.stop();
  }
}

interface Trials {
  run(peer: Peer): Promise<Sample>;
  end(): Promise<void>;
}

/** Peers stay up for the whole row; each is warmed up before its first trial. */
function workTrials(row: Row, setting: Setting): Trials {
  const running = new Map<string, RunningPeer>();
  const { load } = row;
  if (load.kind === 'idle') throw new TypeError('idle connections are not work');
  const trial = (peer: RunningPeer, seconds: number) =>
    workTrial(load, peer, setting.place.core, seconds, setting.folder);
  return {
    async run(peer) {
      const known = running.get(peer.name);
      if (known) return trial(known, setting.seconds);
      const fresh = await startPeer(peer, setting.place, setting.origins, setting.folder, row.setup);
      running.set(peer.name, fresh);
      await trial(fresh, WARM_UP_SECONDS);
      return trial(fresh, setting.seconds);
    },
    async end() {
      await Promise.all([...running.values()].map((peer) => peer.child.stop()));
    },
  };
}

/** Each trial has a peer of its own, which must have grown to its working size before clients come to stay. */
function idleTrials(row: Row, setting: Setting): Trials {
  const { load } = row;
  const warmUp = ROWS[0]?.load as RequestLoad;
  if (load.kind !== 'idle') throw new TypeError('not idle connections');
  return {
    async run(peer) {
      const fresh = await startPeer(peer, setting.place, setting.origins, setting.folder, row.setup);
      try {
        await workTrial(warmUp, fresh, setting.place.core, WARM_UP_SECONDS, setting.folder);
        return await idleTrial(load, fresh);
      } finally {
        await fresh.child.stop();
      }
    },
    end: () => Promise.resolve(),
  };
}
