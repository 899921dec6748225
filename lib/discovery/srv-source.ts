import type { SrvSourceConfig } from '../config/types.js';
import type { SrvRecord, SrvReply } from '../net/dns-message.js';
import type { Resolver } from '../net/resolver.js';
import type { DiscoveredServer, Source, SourceListener } from './contract.js';
import { HostQuery, type HostReply, serverAt } from './host-query.js';

/** More records than that are not asked for. */
const MOST_RECORDS = 1000;
const MOST_WEIGHT = 256;
/** A weight of 0 among others is so small a part of the smallest (RFC 2782). */
const LEAST_PART = 10;

/** A host that records name: what is known of it. */
interface Target {
  readonly query: HostQuery;
  /** The last good answer. */
  reply: HostReply | null;
  /** Why there is no newer one; empty when there is. */
  trouble: string;
}

/**
 * SRV records (RFC 2782): a server for each address of each target, with the port and weight of the record. The lowest
 * priority is used first, all others are backup. A target that cannot be resolved keeps the addresses that it had, and
 * harms no other.
 */
export class SrvSource implements Source {
  readonly #config: SrvSourceConfig;
  readonly #resolver: Resolver;
  /** By host and port: which family of addresses connects may depend on the port. */
  #targets = new Map<string, Target>();
  #isStopped = false;

  constructor(config: SrvSourceConfig, { resolver }: { readonly resolver: Resolver }) {
    this.#config = config;
    this.#resolver = resolver;
  }

  ask(listener: SourceListener): void {
    this.#resolver.askSrv(this.#config.name, (error, reply) => {
      if (this.#isStopped) return;
      if (error !== null) listener.onFailed(`${this.#config.name} could not be resolved: ${error.code}`);
      else if (reply.records.length > MOST_RECORDS)
        listener.onFailed(`${reply.records.length} records, and ${MOST_RECORDS} is the most that is taken`);
      else this.#askTargets(reply, listener);
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const { query } of this.#targets.values()) query.stop();
  }

  #askTargets(reply: SrvReply, listener: SourceListener): void {
    const before = this.#targets;
    this.#targets = new Map();
    for (const { target, port } of reply.records) {
      const key = `${target}:${port}`;
      if (target === '' || this.#targets.has(key)) continue;
      this.#targets.set(key, before.get(key) ?? this.#open(target, port));
      before.delete(key);
    }
    for (const { query } of before.values()) query.stop();
    let waiting = this.#targets.size;
    if (waiting === 0) listener.onServers([], reply.ttl);
    for (const [key, target] of this.#targets) {
      target.query.ask((error, answer) => {
        target.trouble =
          error === '' ? answer.trouble : `${key.replace(/:\d+$/, '')} could not be resolved: ${error}`;
        if (error === '') target.reply = answer;
        if (--waiting === 0) this.#tell(reply, listener);
      });
    }
  }

  #open(target: string, port: number): Target {
    const query = new HostQuery(target, port, this.#config.family, this.#resolver);
    return { query, reply: null, trouble: '' };
  }

  #tell({ records, ttl }: SrvReply, listener: SourceListener): void {
    if (this.#isStopped) return;
    const servers: DiscoveredServer[] = [];
    const first = records.reduce((least, { priority }) => Math.min(least, priority), 65_535);
    const weights = weightsOf(records);
    for (const [index, { target, port, priority }] of records.entries()) {
      const terms = { weight: weights[index] ?? 1, backup: priority > first ? true : null, origin: target };
      for (const address of this.#targets.get(`${target}:${port}`)?.reply?.addresses ?? [])
        servers.push(serverAt(address, port, target, terms));
    }
    const targets = [...this.#targets.values()];
    const [trouble = '', ...more] = targets.map((target) => target.trouble).filter((text) => text !== '');
    const valid = targets.reduce((least, { reply }) => Math.min(least, reply?.ttl ?? least), ttl);
    if (servers.length === 0 && trouble !== '') listener.onFailed(trouble);
    else
      listener.onServers(
        servers,
        valid,
        more.length === 0 ? trouble : `${trouble} (and ${more.length} more targets)`,
      );
  }
}

/**
 * Weights from 1 to 256 for those of records, which go to 65535, within each priority. Where all are 0 they are the same;
 * where some are 0, these are far below the others.
 */
function weightsOf(records: readonly SrvRecord[]): readonly number[] {
  const most = new Map<number, number>();
  const withZero = new Set<number>();
  for (const { priority, weight } of records) {
    most.set(priority, Math.max(most.get(priority) ?? 0, weight));
    if (weight === 0) withZero.add(priority);
  }
  return records.map(({ priority, weight }) => {
    const largest = most.get(priority) ?? 0;
    if (largest === 0) return 1;
    const scale = Math.min(withZero.has(priority) ? LEAST_PART : 1, MOST_WEIGHT / largest);
    return Math.max(1, Math.round(weight * scale));
  });
}
