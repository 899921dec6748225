import { Script, type ScriptRunner } from './script.js';

/** A ban that began, or was lifted (`forMs` 0). */
export interface BanChange {
  /** An `IpAddress.key`. */
  readonly client: string;
  /** The name of the firewall. */
  readonly firewall: string;
  /** How long it lasts, or what is left of it. */
  readonly forMs: number;
}

/** The bans of this node. */
export interface BanSubject {
  /** All of them that are in force. */
  standing(): Iterable<BanChange>;
  /** Has a client banned that another node has banned, for `forMs` more; 0: has its ban lifted. */
  adopt(changes: readonly BanChange[]): void;
}

/** More changes do not wait to be written: the oldest ones go. */
const MOST_WAITING = 10_000;
/** Changes in one call. */
const MOST_WRITTEN = 200;
const MOST_READ = 500;
/** As many as one node keeps. */
const MOST_KEPT = 131_072;

/**
 * Adds changes to the stream, and returns those after the last one that is known, with the time of Redis. The stream expires
 * when the last ban has ended. KEYS: the stream. ARGV: the last known, then client, firewall and ms of each change.
 */
export const BANS_SCRIPT = new Script(`
local wasThere = redis.call('EXISTS', KEYS[1])
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${MOST_KEPT}, '*', 'c', ARGV[i], 'f', ARGV[i + 1], 'm', ARGV[i + 2])
  local left = redis.call('PTTL', KEYS[1])
  local keep = tonumber(ARGV[i + 2]) + 60000
  if left < keep then redis.call('PEXPIRE', KEYS[1], keep) end
end
local t = redis.call('TIME')
local read = redis.call('XREAD', 'COUNT', ${MOST_READ}, 'STREAMS', KEYS[1], ARGV[1])
local entries = {}
if read then entries = read[1][2] end
return {wasThere, string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)), entries}
`);

/** Before the first entry of a stream. */
const START = '0';

type Entry = readonly [id: string, fields: readonly string[]];

/**
 * The bans of all nodes: a stream in Redis, which every node writes its own to and reads a few times each second. All apply
 * the changes in the order of the stream, so that they end up with the same. A node that starts, or was away, reads what it
 * has missed; if Redis has lost the stream, each node writes its bans anew.
 */
export class SharedBans {
  readonly #scripts: ScriptRunner;
  readonly #key: string;
  readonly #subject: BanSubject;
  #waiting: BanChange[] = [];
  #known = START;
  /** Is it to be looked whether Redis still has the stream? */
  #isNew = true;
  #isBusy = false;

  constructor(scripts: ScriptRunner, prefix: string, subject: BanSubject) {
    this.#scripts = scripts;
    this.#key = `${prefix}:bans`;
    this.#subject = subject;
  }

  note(change: BanChange): void {
    this.#waiting.push(change);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
  }

  /** Redis has answered again. */
  begin(): void {
    this.#isNew = true;
  }

  /** Writes what has changed here and takes over what has changed elsewhere. Rejects when Redis cannot be reached. */
  async round(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      do {} while (await this.#exchange());
    } finally {
      this.#isBusy = false;
    }
  }

  /** Is there more? */
  async #exchange(): Promise<boolean> {
    const written = this.#waiting.slice(0, MOST_WRITTEN);
    const args = written.flatMap(({ client, firewall, forMs }) => [client, firewall, Math.ceil(forMs)]);
    const answer = await this.#scripts.run(BANS_SCRIPT, [this.#key], [this.#known, ...args]);
    const [wasThere, now, entries] = answer as [number, string, readonly Entry[]];
    const isWritten = new Set(written);
    this.#waiting = this.#waiting.filter((change) => !isWritten.has(change));
    // A Redis that starts again between two calls, or is emptied, loses the stream and fails none of them.
    if (wasThere === 0 && (this.#isNew || this.#known !== START)) {
      this.#waiting = Array.from(this.#subject.standing()).concat(this.#waiting);
      this.#known = START;
    }
    this.#isNew = false;
    if (entries.length > 0) {
      this.#known = (entries.at(-1) as Entry)[0];
      this.#subject.adopt(entries.map((entry) => changeOf(entry, Number(now))));
    }
    return entries.length === MOST_READ || this.#waiting.length > 0;
  }
}

function changeOf([id, fields]: Entry, now: number): BanChange {
  const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  // The first half of an id is the time of Redis when it was added.
  const age = now - Number(id.split('-')[0]);
  return { client: value('c'), firewall: value('f'), forMs: Math.max(0, Number(value('m')) - age) };
}
