import type { Steps } from '../../base/slices.js';
import type { Firewall } from '../../firewall/firewall.js';
import type { FleetStatus } from '../../fleet/fleet.js';
import { maintenanceStatuses, type StatusDeps } from './build-status.js';
import { rounded } from './histories.js';
import type { AcmeStatus, BanStatus, CertificateStatus, MaintenanceStatus } from './status.js';
import type {
  BanRow,
  CertificateRow,
  FirewallRow,
  JudgedRow,
  MaintenanceRow,
  NodeRow,
  ProviderRow,
  Section,
  ThreadRow,
  ViewQuery,
  ViewRow,
  ViewTable,
} from './view.js';

/** The most rows of a section that are shown: what is wrong comes first. */
const MOST_ROWS = 100;
/** A section of more rows is not shown before it is asked for. */
const FEW_ROWS = 20;
/** Beyond this many firewalls, what they refused and banned is not read before it is asked for. */
const FEW_FIREWALLS = 100;
/** How long what costs a pass over certificates or bans is used, in ms. */
const CERTIFICATES_MS = 5000;
const BANS_MS = 900;

/** The tables beside routes and servers, and how many rows each has. */
export interface Sections {
  readonly tables: { readonly [section in Section]?: ViewTable };
  readonly counts: { readonly [section in Section]: number | null };
  readonly certificatesWrong: number;
  readonly providersFailing: number;
}

/** A value that is read again after a time. */
class Kept<T> {
  readonly #ms: number;
  #value: T | null = null;
  #until = 0;

  constructor(ms: number) {
    this.#ms = ms;
  }

  *at(now: number, read: () => Steps<T>): Steps<T> {
    if (this.#value === null || now >= this.#until) {
      this.#value = yield* read();
      this.#until = now + this.#ms;
    }
    return this.#value;
  }
}

/** Makes the sections of a view, for everybody who looks. */
export class SectionReader {
  readonly #certificates = new Kept<readonly CertificateRow[]>(CERTIFICATES_MS);
  readonly #bans = new Kept<ViewTable>(BANS_MS);

  *read(deps: StatusDeps, query: ViewQuery): Steps<Sections> {
    const { clock, registry, providers, threads, shared } = deps;
    const { firewalls } = registry.snapshot;
    const tables: { [section in Section]?: ViewTable } = {};
    const counts: { [section in Section]: number | null } = {
      certificates: 0,
      providers: providers.length,
      threads: threads.length,
      nodes: 0,
      firewall: null,
      bans: null,
      maintenance: 0,
    };
    const show = (section: Section, table: ViewTable): void => {
      counts[section] = table.total;
      if (isShown(section, table.total, query)) tables[section] = table;
    };
    const now = clock.now();
    const certificates = yield* this.#certificates.at(now, () => certificateSteps(deps));
    show('certificates', firstOf(certificates));
    show('providers', firstOf(wrongFirst(providers.map(providerRow))));
    show('threads', firstOf(threads.map(threadRow)));
    if (shared !== null) show('nodes', firstOf(nodeRows(shared)));
    const maintained = maintenanceStatuses(registry, deps.loadedAt);
    show('maintenance', firstOf(maintained.map(maintenanceRow)));
    if (query.open.has('firewall') || firewalls.length <= FEW_FIREWALLS)
      show('firewall', firstOf(yield* firewallSteps(firewalls)));
    if (query.open.has('bans') || firewalls.length <= FEW_FIREWALLS)
      show('bans', yield* this.#bans.at(now, () => banSteps(firewalls, clock.wall())));
    return {
      tables,
      counts,
      certificatesWrong: certificates.filter(isWrong).length,
      providersFailing: providers.filter(({ state }) => state === 'failing').length,
    };
  }
}

function isShown(section: Section, total: number, { open, closed }: ViewQuery): boolean {
  if (total === 0 || closed.has(section)) return false;
  return open.has(section) || total <= FEW_ROWS;
}

function firstOf(rows: readonly ViewRow[]): ViewTable {
  return { total: rows.length, rows: rows.slice(0, MOST_ROWS) };
}

const isWrong = (row: JudgedRow): boolean => row.isWrong;

function wrongFirst<T extends JudgedRow>(rows: readonly T[]): readonly T[] {
  return [...rows.filter(isWrong), ...rows.filter((row) => !isWrong(row))];
}

/** What expires first comes first, after what is wrong. */
function* certificateSteps({ certificates, orders }: StatusDeps): Steps<readonly CertificateRow[]> {
  const listed = [...certificates()].sort((one, other) => one.notAfter - other.notAfter);
  yield;
  // An order that goes well is the certificate itself.
  const troubled = orders().filter(({ error }) => error !== null);
  return wrongFirst([...troubled.map(orderRow), ...listed.map(certificateRow)]);
}

function certificateRow(certificate: CertificateStatus): CertificateRow {
  const { name, names, fingerprint, notAfter, state, issuer, source, file, problems } = certificate;
  return {
    id: `${fingerprint} ${file}`,
    name: name === '' ? (names[0] ?? '') : name,
    names: names.length,
    notAfter,
    state,
    issuer,
    from: file === '' ? source : file,
    problem: problems.join('; '),
    isWrong: state !== 'valid' || problems.length > 0,
  };
}

function orderRow({ hosts, state, notAfter, directory, error }: AcmeStatus): CertificateRow {
  return {
    id: `acme ${hosts.join(' ')}`,
    name: hosts[0] ?? '',
    names: hosts.length,
    notAfter,
    state,
    issuer: directory,
    from: 'acme',
    problem: error ?? '',
    isWrong: true,
  };
}

function providerRow(provider: StatusDeps['providers'][number]): ProviderRow {
  const { source, kind, state, servers, answeredAt, error, errors } = provider;
  const row = { id: source, kind, state, servers, answeredAt, error, errors };
  return { ...row, isWrong: state !== 'current' };
}

function threadRow(thread: StatusDeps['threads'][number]): ThreadRow {
  const { number, requests, connections, loopDelayMs, busy, since, restarts } = thread;
  const load = { loopDelayMs: rounded(loopDelayMs), busy: Number(busy.toFixed(2)) };
  return { id: String(number), requests, connections, ...load, since, restarts };
}

/** This node comes first: where many share, its row is shown too. Alone as long as Redis has not answered. */
function nodeRows({ node, nodes }: FleetStatus): readonly NodeRow[] {
  const known = nodes.length > 0 ? nodes : [{ name: node, isSelf: true, seenMs: 0, rate: 0 }];
  const all = known.reduce((sum, { rate }) => sum + rate, 0);
  const times = new Map<string, number>();
  const rows = known.map(({ name, isSelf, seenMs, rate }): NodeRow => {
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    const share = all === 0 ? 0 : Number((rate / all).toFixed(3));
    const seen = Math.floor(seenMs / 1000) * 1000;
    return { id: time === 1 ? name : `${name} ${time}`, name, isSelf, seenMs: seen, rate, share };
  });
  return [...rows.filter(({ isSelf }) => isSelf), ...rows.filter(({ isSelf }) => !isSelf)];
}

function maintenanceRow({ name, by, since, until, allow }: MaintenanceStatus): MaintenanceRow {
  const ends = until === null ? null : Math.round(until);
  return { id: `${by} ${name}`, name, by, since: Math.round(since), until: ends, allow };
}

/** Guards that have refused something come first. */
function* firewallSteps(firewalls: readonly Firewall[]): Steps<readonly FirewallRow[]> {
  const rows: FirewallRow[] = [];
  for (const { name, counts } of firewalls) {
    for (const { guard, refused, observed } of counts) {
      const row = { id: `${name}\n${guard}`, rule: name, guard, refused, observed };
      rows.push({ ...row, isWrong: refused + observed > 0 });
    }
    yield;
  }
  return rows.length > MOST_ROWS ? wrongFirst(rows) : rows;
}

/** Of these, the longest ones come first. */
const MOST_BANS = 1000;

function* banSteps(firewalls: readonly Firewall[], wallMs: number): Steps<ViewTable> {
  const bans: Omit<BanStatus, 'leftMs'>[] = [];
  let total = 0;
  for (const firewall of firewalls) {
    const { name, mode } = firewall.config;
    for (const { client, leftMs } of firewall.bans()) {
      // To a second: the time left is measured each time.
      const until = Math.round((wallMs + leftMs) / 1000) * 1000;
      if (bans.length < MOST_BANS) bans.push({ client, rule: name, until, observed: mode === 'observe' });
      if (++total % 256 === 0) yield;
    }
    yield;
  }
  bans.sort((one, other) => other.until - one.until);
  const rows = bans.slice(0, MOST_ROWS).map((ban): BanRow => ({ id: `${ban.client} ${ban.rule}`, ...ban }));
  return { total, rows };
}
