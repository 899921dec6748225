/** Runs of each property: 1,000, or as many as LB_FUZZ_RUNS says. */
export const FUZZ_RUNS = Number(process.env.LB_FUZZ_RUNS ?? 1000);
