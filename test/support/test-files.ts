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

/**
 * Files that run one after another in one process, each list in a process of its own. They test functions alone: nothing in them
 * listens, waits, measures time or memory, or changes the process, so that no file can tell whether another ran before it. To start a
 * process and load tap takes half a second of a processor, more than these tests take.
 */
export const TOGETHER: readonly (readonly string[])[] = [
  [
    'base/address-set',
    'base/address.',
    'base/collections',
    'base/failure',
    'base/growing-buffer',
    'base/identity',
    'base/nearest',
    'base/units',
  ],
  [
    'config/container-routes',
    'config/golden',
    'config/header-names',
    'config/pattern',
    'config/problems',
    'config/scalar',
    'config/schema',
    'config/template',
  ],
  [
    'http/client-certificate',
    'http/path.',
    'http/request-encoder',
    'http/request-rules',
    'http/request-view',
    'http/response-encoder',
    'http/trace-context',
    'http/trailers',
  ],
  ['http/corpus', 'http/encoders.property', 'http/messages.property'],
  [
    'rules/course',
    'rules/header-rules',
    'rules/match',
    'rules/path-rules',
    'rules/properties',
    'rules/route-reply',
    'routing/dry-run/asked-request',
    'routing/dry-run/cases',
    'routing/dry-run/line-diff',
  ],
  [
    'servers/ejection',
    'servers/half-open',
    'servers/server.',
    'servers/slow-start',
    'servers/scheduler/consistent-hash',
    'servers/scheduler/load',
    'servers/scheduler/round-robin',
    'control/health/ejection-time',
    'control/health/history',
    'control/health/outcome-window',
    'control/health/rise-fall-counter',
    'control/status/histories',
    'control/status/server-events',
  ],
  [
    'cli/args',
    'cli/command-help',
    'cli/complete-words',
    'cli/console-log',
    'cli/error-text',
    'cli/word-wrap',
    'cli/remote/columns',
    'cli/remote/figures',
    'cli/remote/top-order',
  ],
  [
    'discovery/docker-labels',
    'discovery/endpoint-slices',
    'discovery/names',
    'discovery/target-groups',
    'observe/line-blocks',
    'observe/log-filter',
    'observe/metrics',
    'observe/promlint',
    'docs/configuration',
    'docs/internals',
    'docs/links',
  ],
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

/** What each process of a run takes: one file, or those that run together, in the place of the first of them. */
export function processesOf(files: readonly string[]): string[][] {
  const processes = new Map<unknown, string[]>();
  for (const file of files) {
    const group = TOGETHER.find((words) => hasOneOf(file, words)) ?? file;
    processes.set(group, [...(processes.get(group) ?? []), file]);
  }
  return [...processes.values()];
}

/** Words that no file has in its path: a name that was changed. */
export function unknownWords(all: readonly string[], wanted: readonly string[]): string[] {
  return [...wanted, ...SLOW, ...LONGEST, ...TOGETHER.flat()].filter(
    (word) => !all.some((name) => name.includes(word)),
  );
}

function hasOneOf(name: string, words: readonly string[]): boolean {
  return words.some((word) => name.includes(word));
}

function rank(name: string): number {
  const index = LONGEST.findIndex((word) => name.includes(word));
  return index === -1 ? LONGEST.length : index;
}
