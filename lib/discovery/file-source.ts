import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileError, readRegularFileAsync } from '../base/regular-file.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { ValueError } from '../base/units.js';
import type { FileSourceConfig } from '../config/types.js';
import type { DiscoveredServer, Source, SourceListener } from './contract.js';
import { parseTargetGroups } from './target-groups.js';

/** Watches of a file system miss some changes, and all of those on another machine. */
const LOOK_MS = 5000;
/** A file that is being written is read when it has not changed for this many ms. */
const SETTLE_MS = 100;
/** 10,000 servers with a few labels each. */
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_FILES = 1000;

/** One file, as it was read last. */
interface KnownFile {
  /** What it looked like: another one may have other content. */
  readonly mark: string;
  readonly inode: number;
  /** As it was last good. */
  readonly servers: readonly DiscoveredServer[];
  /** Why what it has now can't be used; empty when it is in use. */
  readonly trouble: string;
}

/**
 * Files in the format of file_sd. The folder is watched, and looked at every 5 s besides. A file that is broken, or not
 * complete, keeps its last good servers; those of a file that was removed leave.
 */
export class FileSource implements Source, DeadlineOwner {
  readonly #config: FileSourceConfig;
  readonly #pattern: RegExp;
  readonly #isOne: boolean;
  readonly #settled: Deadline;
  /** By name. */
  #files = new Map<string, KnownFile>();
  /** The marks of changed files that are not read before they have settled, by name. */
  #unsettled = new Map<string, string>();
  #listener: SourceListener | null = null;
  #watcher: FSWatcher | null = null;
  #isLooking = false;
  /** Has something changed while it was looking? */
  #isStale = false;
  #isStopped = false;

  constructor(config: FileSourceConfig, { wheel }: { readonly wheel: TimerWheel }) {
    this.#config = config;
    this.#pattern = patternOf(config.pattern);
    this.#isOne = !/[*?]/.test(config.pattern);
    this.#settled = new Deadline(wheel, this);
  }

  ask(listener: SourceListener): void {
    this.#listener = listener;
    this.#watch();
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#settled.release();
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Nothing happened in the folder for a moment. */
  onDeadline(): void {
    this.#look();
  }

  #watch(): void {
    if (this.#watcher !== null) return;
    try {
      const watcher = watch(this.#config.folder, { persistent: false }, () => this.#settled.arm(SETTLE_MS));
      watcher.on('error', () => this.#unwatch(watcher));
      this.#watcher = watcher;
    } catch {
      // There is no such folder, or no more watches are allowed: it is looked at every 5 s.
    }
  }

  #unwatch(watcher: FSWatcher): void {
    watcher.close();
    if (this.#watcher === watcher) this.#watcher = null;
  }

  #look(): void {
    this.#isStale = this.#isLooking;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookNow().then((result) => {
      this.#isLooking = false;
      if (this.#isStopped) return;
      this.#tell(result);
      if (this.#isStale || this.#unsettled.size > 0) this.#settled.arm(SETTLE_MS);
    });
  }

  /** Resolves to what is wrong with the folder as a whole; null when it could be read. */
  async #lookNow(): Promise<string | null> {
    const { folder, pattern } = this.#config;
    let names: readonly string[];
    try {
      names = this.#isOne ? [pattern] : (await readdir(folder)).filter((name) => this.#pattern.test(name));
    } catch (error) {
      return `${folder} cannot be read: ${reasonOf(error)}`;
    }
    if (names.length > MOST_FILES) return `${names.length} files, and ${MOST_FILES} is the most that is read`;
    const files = new Map<string, KnownFile>();
    const unsettled = new Map<string, string>();
    for (const name of [...names].sort()) {
      const file = await this.#read(name, unsettled);
      if (file !== null) files.set(name, file);
    }
    this.#files = files;
    this.#unsettled = unsettled;
    return null;
  }

  /** null: the file is gone. */
  async #read(name: string, unsettled: Map<string, string>): Promise<KnownFile | null> {
    const path = join(this.#config.folder, name);
    const known = this.#files.get(name);
    const unread = { mark: '', inode: 0, servers: known?.servers ?? [] };
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path);
      const mark = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (known?.mark === mark) return known;
      // A file that was moved here is complete; one that is written in place may not be.
      if (known !== undefined && known.inode === ino && this.#unsettled.get(name) !== mark) {
        unsettled.set(name, mark);
        return known;
      }
      const text = await readRegularFileAsync(path, MOST_BYTES);
      return { mark, inode: ino, ...this.#parse(text, path, unread.servers) };
    } catch (error) {
      if (!this.#isOne && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      return { ...unread, trouble: `${path} cannot be read: ${reasonOf(error)}` };
    }
  }

  #parse(
    text: string,
    path: string,
    before: readonly DiscoveredServer[],
  ): Pick<KnownFile, 'servers' | 'trouble'> {
    try {
      const format = path.endsWith('.json') ? 'json' : 'yaml';
      return { servers: parseTargetGroups(text, format, path), trouble: '' };
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      return { servers: before, trouble: `${path}: ${error.message}` };
    }
  }

  #tell(trouble: string | null): void {
    const listener = this.#listener as SourceListener;
    if (trouble !== null) {
      listener.onFailed(trouble);
      return;
    }
    const files = [...this.#files.values()];
    const [first = '', ...more] = files.map((file) => file.trouble).filter((text) => text !== '');
    const servers = files.flatMap((file) => file.servers);
    const everyTrouble = more.length === 0 ? first : `${first} (and ${more.length} more files)`;
    if (first !== '' && servers.length === 0) listener.onFailed(everyTrouble);
    else listener.onServers(servers, LOOK_MS, everyTrouble);
  }
}

/** A pattern of a shell: `*` is any text, `?` any character; a name that begins with a dot is hidden. */
function patternOf(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^(?!\\.)${text}$`, 's');
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof FileError) return message;
  return code === 'ENOENT' ? 'there is no such file or folder' : (code ?? message);
}
