import { canSharePorts } from '../../lib/threads/worker-choice.js';

/**
 * With LB_TEST_WORKERS=3 the balancers of `startBalancer` serve clients in 3 threads, so that a suite that was written for
 * one thread runs with several (`make test WORKERS=3 ONLY="balancer/ resilience/"`, on Node 22.12 or newer).
 */
export const SWITCHED_WORKERS = Number(process.env.LB_TEST_WORKERS || 1);

/**
 * With LB_TEST_CLOCKS=threads too, balancers with a clock of the test have several threads, in all of which the clock is moved.
 * Each thread begins with another server, so a test that is about the first server fails with it now and then.
 */
export const SWITCHED_CLOCKS = process.env.LB_TEST_CLOCKS === 'threads';

/** For balancers that a test makes by `createBalancer`. */
export const SWITCHED = { workers: SWITCHED_WORKERS } as const;

/** The option of a test that is about what balancers with several threads do not have. */
export function unlessThreads(reason: string): { readonly skip: string | false } {
  return { skip: SWITCHED_WORKERS > 1 && `with several threads ${reason}` };
}

/** The options of a balancer in a test that is about what each thread has for itself: it has one thread in any case. */
export function oneThread(reason: string): { readonly workers: 1; readonly reason: string } {
  return { workers: 1, reason };
}

/** The option of a test that needs several threads. */
export const THREADS: { readonly skip: string | false } = {
  skip: !canSharePorts() && `Node ${process.versions.node} cannot share a port among threads`,
};
