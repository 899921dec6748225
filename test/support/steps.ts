import { Session } from 'node:inspector/promises';

// Functions that are compiled before this are counted as a whole, without their loops: import it in files that need it.
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/**
 * Counts how often the blocks of the code of a room are entered while `run` runs, by V8's precise coverage: calls of functions,
 * rounds of loops, branches. The same work is the same number, however fast the machine is.
 */
export async function countSteps(room: string, run: () => void): Promise<number> {
  await session.post('Profiler.takePreciseCoverage');
  run();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return result
    .filter(({ url }) => url.includes(`/dist/lib/${room}/`))
    .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges.map(({ count }) => count)))
    .reduce((sum, count) => sum + count, 0);
}
