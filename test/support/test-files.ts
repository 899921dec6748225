/**
 * Which test files are slow, and in which order all are started. Words of the paths below `test/`, as for `make test ONLY=`.
 */

/**
 * Those that a change needs only before it is handed in: `make test-slow` runs them, and `make test ONLY=…` where it names them. They
 * take a minute and more of a processor together with what they start, or have others do the work: containers, browsers, packages,
 * authorities, service managers, ten thousand hosts, a program that starts twenty times.
 */
export const SLOW: readonly string[] = [
  'compose/',
  'packaging/',
  'resilience/',
  // A browser.
  'admin/page',
  'admin/story',
  // Authorities, name servers and stores that are programs of their own.
  'balancer/acme',
  'fleet/acme',
  'fleet/link',
  'fleet/redis-kinds',
  'fleet/shared',
  'tls/acme',
  // Ten thousand hosts, hundreds of clients, megabytes that nobody reads.
  'admin/at-size',
  'balancer/at-size',
  'balancer/reload-at-size',
  'client/limits-load',
  'exchange/backpressure',
  'servers/scheduler/conformance',
  'shared/pool-threads',
  // A thread is killed again and again.
  'threads/killed',
  // A program, started over and over.
  'balancer/stop',
  'cli/certificates',
  'cli/completion',
  'cli/containers',
  'cli/early-signals',
  'cli/healthcheck',
  'cli/inherited-sockets',
  'cli/key-help',
  'cli/program-troubles',
  'cli/read-settings',
  'cli/reload',
  'cli/service-manager',
  'cli/sockets',
  'cli/stopped-reader',
  'docs/tutorial',
];

/** They are started first, the longest before the others, so that no run ends with one file alone. */
const LONGEST: readonly string[] = [
  'compose/image',
  'compose/compose',
  'admin/page-at-size',
  'packaging/bundle',
  'resilience/upgrade',
  'compose/course',
  'cli/program-troubles',
  'compose/containers',
  'admin/page.',
  'cli/certificates',
  'packaging/first-hour',
  'cli/healthcheck',
  'packaging/npm',
  'cli/sockets',
  'balancer/stop',
  'cli/completion',
  'cli/reload',
  'balancer/reload-at-size',
];

/** The files that one run takes, in the order in which they are started. */
export function testFiles(all: readonly string[], set: string, wanted: readonly string[]): string[] {
  return all
    .filter((name) =>
      wanted.length > 0 ? hasOneOf(name, wanted) : hasOneOf(name, SLOW) === (set === 'slow'),
    )
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

/** Words that no file has in its path: a name that was changed. */
export function unknownWords(all: readonly string[], wanted: readonly string[]): string[] {
  return [...wanted, ...SLOW, ...LONGEST].filter((word) => !all.some((name) => name.includes(word)));
}

function hasOneOf(name: string, words: readonly string[]): boolean {
  return words.some((word) => name.includes(word));
}

function rank(name: string): number {
  const index = LONGEST.findIndex((word) => name.includes(word));
  return index === -1 ? LONGEST.length : index;
}
