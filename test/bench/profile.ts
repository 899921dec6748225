import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Setting } from './comparison.js';
import { findPeer, startPeer } from './peer.js';
import type { Row } from './row.js';
import { workTrial } from './trial.js';

/** How V8 writes a profile: a tree of calls, and for each sample the node it fell on and the µs before it. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface FunctionTime {
  readonly name: string;
  readonly place: string;
  readonly share: number;
}

const LISTED = 25;
/** V8's own default: at 200 µs the sampling cost as much as the work. */
const SAMPLING_MICROS = 1000;
/** lb drains, then V8 writes the profile. */
const EXIT_MS = 40_000;

/** Runs one row's work against lb alone under V8's sampling profiler and gives the top functions as text. */
export async function profile(row: Row, lbOptions: readonly string[], setting: Setting): Promise<string> {
  if (row.load.kind === 'idle') throw new Error(`--profile: ${row.name} is no work to profile`);
  const folder = join(setting.folder, 'profile');
  mkdirSync(folder);
  const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${SAMPLING_MICROS}`];
  const peer = findPeer('lb', { nodeOptions, options: lbOptions });
  if (typeof peer === 'string') throw new Error(peer);
  const running = await startPeer(peer, setting.place, setting.origins, setting.folder, row.setup);
  setting.progress(`${row.name}: lb under the profiler`);
  const sample = await workTrial(row.load, running, setting.place.core, setting.seconds, setting.folder);
  await running.child.stop(EXIT_MS);
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  if (!file) throw new Error('lb left no profile: it must end by itself on SIGTERM');
  const functions = selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile);
  const lines = functions.slice(0, LISTED).map(({ share, name, place }) => {
    const micros = (share * sample.cost).toFixed(2).padStart(8);
    return `  ${(share * 100).toFixed(1).padStart(5)} ${micros}  ${name.padEnd(34)} ${place}`;
  });
  return [
    `${row.name}: ${row.title}`,
    `  ${sample.cost.toFixed(1)} µs each with the profiler on; self time without idle:`,
    '  share       µs  function',
    ...lines,
    '',
  ].join('\n');
}

/** Self time per function, idle left out, greatest first. */
function selfTimes(cpuProfile: CpuProfile): FunctionTime[] {
  const keys = new Map<number, string>();
  for (const { id, callFrame } of cpuProfile.nodes) {
    const place = callFrame.url === '' ? '' : `${shortened(callFrame.url)}:${callFrame.lineNumber + 1}`;
    keys.set(id, `${callFrame.functionName || '(anonymous)'}\t${place}`);
  }
  const micros = new Map<string, number>();
  let total = 0;
  cpuProfile.samples.forEach((id, index) => {
    const key = keys.get(id) ?? '';
    if (key.startsWith('(idle)')) return;
    const spent = cpuProfile.timeDeltas[index] ?? 0;
    total += spent;
    micros.set(key, (micros.get(key) ?? 0) + spent);
  });
  return [...micros]
    .sort(([, a], [, b]) => b - a)
    .map(([key, spent]) => {
      const [name = '', place = ''] = key.split('\t');
      return { name, place, share: spent / total };
    });
}

function shortened(url: string): string {
  return url.replace(`${pathToFileURL(process.cwd()).href}/`, '').replace(/^.*\/node_modules\//, '');
}
