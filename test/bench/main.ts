import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAll, stopAll } from './child.js';
import { circumstances, header } from './circumstances.js';
import { compare, type Setting, unfairness } from './comparison.js';
import { isolated, isolation, runIsolated } from './isolation.js';
import { find, placement, settle } from './machine.js';
import { type Options, parseOptions, USAGE } from './options.js';
import { startOrigins } from './origin.js';
import { findPeer, type Peer } from './peer.js';
import { profile } from './profile.js';
import type { Row } from './row.js';
import { type Summary, summarise } from './summary.js';
import { growth, table } from './table.js';
import type { Sample } from './trial.js';

interface RowReport {
  readonly row: Row;
  readonly summaries: readonly Summary[];
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
}

const COMMAND = ['node dist/test/bench/main.js', ...process.argv.slice(2)].join(' ');
let interrupted = false;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options | 'help';
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    say(`${message(error)}\n${USAGE}`);
    return 2;
  }
  if (options === 'help') {
    say(USAGE);
    return 0;
  }
  const outside = isolated ? undefined : isolation();
  if (outside) return runIsolated(outside);
  const folder = mkdtempSync(join(tmpdir(), 'lb-bench-'));
  cleanUpAtTheEnd(folder);
  try {
    await bench(options, folder);
    return 0;
  } catch (error) {
    say(`bench: ${message(error)}`);
    return interrupted ? 130 : 1;
  } finally {
    await stopAll();
  }
}

async function bench(options: Options, folder: string): Promise<void> {
  const place = placement();
  settle(place);
  const { seconds, rounds } = options;
  const setting: Setting = {
    place,
    origins: await startOrigins(folder),
    folder,
    seconds,
    rounds,
    progress,
    notice: say,
  };
  if (options.profile) {
    const [row] = options.rows;
    if (row) say(await profile(row, options.lbOptions, setting));
    return;
  }
  const found = availablePeers(options);
  const rows = availableRows(options);
  const about = circumstances(setting, found, COMMAND);
  say(header(about));
  const peers = await soundPeers(found, setting);
  const reports: RowReport[] = [];
  for (const row of rows) {
    const samples = await compare(row, peers, setting);
    const summaries = summarise(samples, row.yardsticks);
    const before = reports.find((report) => report.row.name === row.growth?.from);
    reports.push({ row, summaries, samples: Object.fromEntries(samples) });
    say(`\n${table(row, summaries)}${growth(row, summaries, before?.summaries ?? [])}`.trimEnd());
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ ...about, rows: reports }, null, 2)}\n`);
}

function availablePeers(options: Options): Peer[] {
  const lb = { nodeOptions: [], options: options.lbOptions };
  const found = options.peers.map((name) => findPeer(name, lb));
  for (const peer of found) if (typeof peer === 'string') say(peer);
  const peers = found.filter((peer) => typeof peer !== 'string');
  if (peers.length === 0) throw new Error('no peer to measure');
  return peers;
}

/** Those that balance at all. What they lack of the others' features is said. */
async function soundPeers(peers: readonly Peer[], setting: Setting): Promise<Peer[]> {
  const sound: Peer[] = [];
  for (const peer of peers) {
    try {
      const missing = await unfairness(peer, setting);
      if (missing.length > 0) say(`lacking:  ${peer.name}: ${missing.join(', ')}`);
      sound.push(peer);
    } catch (error) {
      say(`${peer.name} left out: ${message(error)}`);
    }
  }
  return sound;
}

function availableRows(options: Options): Row[] {
  if (find('wrk')) return [...options.rows];
  say('wrk is not installed: only the row large is measured');
  return options.rows.filter((row) => row.load.kind === 'stream');
}

/** Ctrl-C stops all that was started; nothing outlives this process, however it ends. */
function cleanUpAtTheEnd(folder: string): void {
  process.once('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      void stopAll().finally(() => process.exit(130));
    });
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}\r`);
}

function say(text: string): void {
  if (interrupted) return;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(`${text}\n`);
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
