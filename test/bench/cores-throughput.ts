/** A structure that all cores use once for each request. */
export interface HotLine {
  readonly name: string;
  /** ns that it takes when nobody else wants it: part of a request anyhow. */
  readonly alone: number;
  /** ns during which it serves one core, and no other. */
  readonly held: number;
}

/**
 * Requests a second of so many cores, each of which takes `requestNs` for a request, during which it passes all the lines once.
 * A core that finds a line taken waits, and its processor with it. Exact mean value analysis of a closed network
 * (Reiser and Lavenberg): the cores are its customers, each line is a station that serves them in order, and what a request takes
 * elsewhere is the time between. It takes times to be exponential, which is more waiting than there is between like requests.
 */
export function throughputOf(cores: number, requestNs: number, lines: readonly HotLine[]): number {
  const elsewhere = Math.max(0, requestNs - lines.reduce((sum, { alone }) => sum + alone, 0));
  const waiting = lines.map(() => 0);
  let rate = 0;
  for (let count = 1; count <= cores; count++) {
    const stays = lines.map(({ alone, held }, i) => {
      // A core that is alone finds everything in its own cache.
      const service = count === 1 ? alone : held;
      return service * (1 + (waiting[i] as number));
    });
    rate = count / (elsewhere + stays.reduce((sum, stay) => sum + stay, 0));
    for (const [i, stay] of stays.entries()) waiting[i] = rate * stay;
  }
  return rate * 1e9;
}

/** Of connections that the kernel gives to threads by a hash: those of the fullest thread, as a multiple of the mean. */
export function spreadOf(threads: number, connections: number, random: () => number, times = 200): number {
  let sum = 0;
  for (let time = 0; time < times; time++) {
    const counts = new Array<number>(threads).fill(0);
    for (let i = 0; i < connections; i++) counts[Math.floor(random() * threads)]!++;
    sum += (Math.max(...counts) * threads) / connections;
  }
  return sum / times;
}
