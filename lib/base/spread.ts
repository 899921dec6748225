/** `ms`, made shorter or longer by at most `share` (0 to 1) of it, lest what began together falls due together. */
export function spread(ms: number, share: number, random: () => number = Math.random): number {
  return ms * (1 - share + 2 * share * random());
}
