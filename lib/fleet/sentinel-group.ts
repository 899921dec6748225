import type { RedisAddress } from './redis-stream.js';

/** What a sentinel says of a group of servers. */
export interface SentinelAnswer {
  /** null: it knows no group of this name. */
  readonly primary: RedisAddress | null;
  /** Further sentinels of the group. */
  readonly others: readonly RedisAddress[];
  /** The names of the groups that it knows, where it does not know this one. */
  readonly groups: readonly string[];
}

/** Asks one sentinel. Rejects with the reason, for people, when it cannot be asked. */
export type AskSentinel = (address: RedisAddress) => Promise<SentinelAnswer>;

/** Reasons that one message has. */
const MOST_REASONS = 3;
/** Sentinels that are kept in mind. */
const MOST_SENTINELS = 32;

/** The sentinels of a group of servers, which know the primary: those of the settings, and those that these report. */
export class SentinelGroup {
  readonly #name: string;
  readonly #ask: AskSentinel;
  readonly #configured: readonly RedisAddress[];
  /** The one that answered last, those of the settings, and those that it reported. */
  #sentinels: readonly RedisAddress[];

  constructor(name: string, sentinels: readonly RedisAddress[], ask: AskSentinel) {
    this.#name = name;
    this.#configured = sentinels;
    this.#sentinels = sentinels;
    this.#ask = ask;
  }

  /**
   * Asks one after the other, as long as the answer is wanted. Rejects with the reasons of all that were asked when none of
   * them knows.
   */
  async primary(isWanted: () => boolean = () => true): Promise<RedisAddress> {
    const reasons = new Set<string>();
    for (const sentinel of this.#sentinels) {
      if (!isWanted()) break;
      try {
        const { primary, others, groups } = await this.#ask(sentinel);
        if (primary !== null) {
          // Without those that others reported earlier: sentinels that are gone would fill the list.
          this.#remember([sentinel, ...this.#configured, ...others]);
          return primary;
        }
        reasons.add(this.#unknownTo(sentinel, groups));
      } catch (error) {
        reasons.add((error as Error).message);
      }
    }
    throw new Error([...reasons].slice(0, MOST_REASONS).join('; '));
  }

  #unknownTo({ host, port }: RedisAddress, groups: readonly string[]): string {
    const known = groups.length === 0 ? '' : ` (it knows ${groups.slice(0, MOST_REASONS).join(', ')})`;
    return `the sentinel ${host}:${port} knows no group ${this.#name}${known}: correct shared.sentinel`;
  }

  #remember(sentinels: readonly RedisAddress[]): void {
    const byAddress = new Map(sentinels.map((one) => [`${one.host}:${one.port}`, one]));
    this.#sentinels = [...byAddress.values()].slice(0, MOST_SENTINELS);
  }
}
