import { type Profiler, Session } from 'node:inspector/promises';
import { startWarmGet } from './warm-get.js';

/** The requests that are counted together: what runs for fewer than half of them belongs to a timer. */
const REQUESTS = 20;
const LIB = '/dist/lib/';

/** What one warm keep-alive GET runs through. */
export interface WarmGetCount {
  readonly files: number;
  readonly calls: number;
  /** Function calls by file, most first. */
  readonly byFile: readonly (readonly [file: string, calls: number])[];
}

/** Counts the files of `dist/lib` and the function calls of one warm GET, by V8's precise coverage. */
export async function countWarmGet(): Promise<WarmGetCount> {
  const path = await startWarmGet();
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    await session.post('Profiler.takePreciseCoverage');
    for (let i = 0; i < REQUESTS; i++) await path.get();
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return summed(result);
  } finally {
    session.disconnect();
    path.close();
  }
}

function summed(scripts: readonly Profiler.ScriptCoverage[]): WarmGetCount {
  const byFile: (readonly [string, number])[] = [];
  for (const { url, functions } of scripts) {
    if (!url.includes(LIB)) continue;
    const counts = functions
      .map(({ ranges }) => ranges[0]?.count ?? 0)
      .filter((count) => count >= REQUESTS / 2);
    const calls = counts.reduce((sum, count) => sum + count, 0) / REQUESTS;
    if (calls > 0) byFile.push([url.slice(url.indexOf(LIB) + LIB.length), Math.round(calls)]);
  }
  byFile.sort(([, a], [, b]) => b - a);
  const calls = byFile.reduce((sum, [, count]) => sum + count, 0);
  return { files: byFile.length, calls, byFile };
}
