import { ValueError } from '../base/units.js';
import { WorkBudget } from '../base/work-budget.js';
import { parseHostName } from '../config/host-name.js';
import { parseNetwork } from '../config/network.js';
import { compileRegex, type RegexConfig } from '../config/regex.js';
import type { Config, HostName } from '../config/types.js';
import { EVERY_HOST, type HostMaintenance } from '../routing/host-maintenance.js';
import { HostTable } from '../routing/host-table.js';
import { type MaintenanceTerms, OperationError } from './status/operations.js';

/** The most hosts in maintenance at once, and addresses of one that are let in. */
const MOST = 1000;
/** ms: a year. */
const LONGEST = 366 * 86_400_000;

/** The hosts that operators have put into maintenance. They are kept over a reload, while the file has the host. */
export class MaintainedHosts {
  readonly #hosts = new Map<string, HostMaintenance>();

  get list(): readonly HostMaintenance[] {
    return [...this.#hosts.values()];
  }

  of(host: string): HostMaintenance | undefined {
    return this.#hosts.get(host);
  }

  /** `maintenance`: null ends it. */
  set(host: string, maintenance: HostMaintenance | null): void {
    if (maintenance === null) this.#hosts.delete(host);
    else this.#hosts.set(host, maintenance);
  }

  /**
   * What an operator asks for, checked against the settings file; null: it ends. Throws an OperationError, before anything
   * is changed. `wallMs`: now, in ms since the epoch.
   */
  plan(
    asked: string,
    terms: MaintenanceTerms | null,
    { hosts }: Pick<Config, 'hosts'>,
    wallMs: number,
  ): { readonly host: string; readonly maintenance: HostMaintenance | null } {
    const host = normalised(asked);
    if (terms === null) {
      if (!this.#hosts.has(host))
        throw new OperationError('unknown_host', `${host} is not in maintenance by an operator`);
      return { host, maintenance: null };
    }
    if (!new KnownHosts(hosts).has(host))
      throw new OperationError(
        'unknown_host',
        `the settings file has no host ${host}; "${EVERY_HOST}" stands for all requests`,
      );
    const { forMs = null, allow = [] } = terms;
    if (forMs !== null && !(Number.isSafeInteger(forMs) && forMs > 0 && forMs <= LONGEST))
      throw new OperationError('bad_value', 'a maintenance takes from 1 ms to 366 days');
    if (allow.length > MOST) throw new OperationError('bad_value', `at most ${MOST} addresses are let in`);
    for (const text of allow) checkNetwork(text);
    if (!this.#hosts.has(host) && this.#hosts.size >= MOST)
      throw new OperationError('bad_value', `at most ${MOST} hosts are in maintenance: "*" is all of them`);
    const until = forMs === null ? null : wallMs + forMs;
    return { host, maintenance: { host, since: wallMs, until, allow } };
  }

  /** Takes over those of a previous file or process. Returns a line for each whose host the file does not have. */
  restore(list: readonly HostMaintenance[], { hosts }: Pick<Config, 'hosts'>): readonly string[] {
    this.#hosts.clear();
    if (list.length === 0) return [];
    const known = new KnownHosts(hosts);
    const dropped: string[] = [];
    for (const one of list) {
      if (known.has(one.host)) this.#hosts.set(one.host, one);
      else dropped.push(`the maintenance of ${one.host} has ended: the file has no such host any more`);
    }
    return dropped;
  }
}

function normalised(asked: string): string {
  if (asked === EVERY_HOST) return asked;
  try {
    return textOf(parseHostName(asked));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new OperationError('bad_value', error.message);
  }
}

function textOf(name: HostName): string {
  return name.kind === 'exact' ? name.name : `*${name.suffix}`;
}

/** The hosts of a file, gone through once: a reload asks for up to a thousand, between two requests. */
class KnownHosts {
  readonly #names = new Set<string>();
  readonly #wildcards = new HostTable<true>();
  readonly #regexes: RegexConfig[] = [];

  constructor(hosts: Config['hosts']) {
    for (const { names } of hosts)
      for (const name of names) {
        if (name.kind === 'regex') {
          this.#regexes.push(name.regex);
          continue;
        }
        this.#names.add(textOf(name));
        if (name.kind === 'wildcard') this.#wildcards.add(name, true);
      }
  }

  /** Does the file have the host by its name, or a wildcard or an expression that stands for it? */
  has(host: string): boolean {
    if (host === EVERY_HOST || this.#names.has(host)) return true;
    // A wildcard within a wildcard of the file: `*.a.mango.com` where the file has `*.mango.com`.
    if (this.#wildcards.find(host.replace(/^\*/, 'x')) === true) return true;
    return this.#regexes.some((regex) => matches(regex, host));
  }
}

/** A wildcard of names matches if a name below it does. */
function matches(regex: RegexConfig, host: string): boolean {
  return compileRegex(regex).test(host.replace(/^\*/, 'x'), new WorkBudget());
}

function checkNetwork(text: string): void {
  try {
    parseNetwork(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new OperationError('bad_value', error.message);
  }
}

/** Is it a maintenance as another process has stored it? */
export function isHostMaintenance(value: unknown): value is HostMaintenance {
  if (typeof value !== 'object' || value === null) return false;
  const { host, since, until, allow } = value as Record<string, unknown>;
  return (
    typeof host === 'string' &&
    typeof since === 'number' &&
    (until === null || typeof until === 'number') &&
    Array.isArray(allow) &&
    allow.every((one) => typeof one === 'string' && isNetwork(one)) &&
    isHostName(host)
  );
}

function isNetwork(text: string): boolean {
  try {
    parseNetwork(text);
    return true;
  } catch {
    return false;
  }
}

function isHostName(text: string): boolean {
  try {
    return normalised(text) === text;
  } catch {
    return false;
  }
}
