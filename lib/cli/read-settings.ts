import { statSync } from 'node:fs';
import type { MessagePort, Worker } from 'node:worker_threads';
import { decodeGraph, type GraphChunk } from '../base/object-graph.js';
import { inSlices } from '../base/slices.js';
import type { Config, ContainerRoute, RefusedRoute } from '../config/types.js';
import type { RunOptions } from './args.js';
import { renderFailures } from './check.js';
import { createPaint } from './paint.js';
import {
  type FileAccess,
  type FileRecord,
  recordedFiles,
  recordFiles,
  SYSTEM_FILES,
} from './recorded-files.js';
import { planFile, StartSettingsError } from './start-settings.js';

/**
 * Files of up to this size in all are read in this thread: that takes about 20 ms, and starting another thread takes
 * 200 ms.
 */
const SMALL_BYTES = 32 * 1024;

/** The result of reloading a settings file, with its tests. */
export interface SettingsReading {
  readonly config: Config;
  /** The settings file, the files it names, and the folders where it asks for files. */
  readonly files: readonly string[];
  /** Warnings, ready to print; empty when there are none. */
  readonly warnings: string;
  /** The failing tests, ready to print; empty when all pass. They try the file without routes of containers. */
  readonly failures: string;
  /** What was read. */
  readonly record: FileRecord;
  /** Routes of containers that the file has no place for. */
  readonly refusedRoutes: readonly RefusedRoute[];
}

/** What to read, and how to show problems. */
export interface ReadRequest {
  readonly options: RunOptions;
  readonly file: string;
  readonly inColour: boolean;
  /** Routes of containers; none by default. */
  readonly routes?: readonly ContainerRoute[];
  /** Files as they were read before, with tests that have passed; by default they are read now, and tried. */
  readonly record?: FileRecord | null;
}

/** What the other thread is started with: the configuration is sent through `port`, in chunks. */
export interface WorkerRequest extends ReadRequest {
  readonly port: MessagePort;
}

/** What the other thread answers after all chunks were posted. */
export type WorkerAnswer =
  | ({ readonly kind: 'read' } & Omit<SettingsReading, 'config'>)
  | { readonly kind: 'refused'; readonly report: string; readonly files: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string };

/**
 * Reads a settings file while requests go on: a large one in another thread, which sends the configuration back in
 * pieces. Rejects with a StartSettingsError that shows all problems.
 */
export async function readSettings(request: ReadRequest): Promise<SettingsReading> {
  const small = readIfSmall(request);
  if (small !== null) return small;
  return (await readInWorker(request)) ?? readHere(request);
}

/** Without routes of containers nothing is compiled twice. */
const NOTHING: FileRecord = { texts: new Map(), folders: new Map() };

/** In this thread. */
export function readHere(request: ReadRequest, files: FileAccess = filesOf(request)): SettingsReading {
  const { options, file, inColour, routes = [], record: before = null } = request;
  const paint = createPaint(inColour);
  const { access, record } = recordFiles(files);
  const plan = planFile(options, file, paint, { files: access, routes });
  const { config, warnings, refusedRoutes } = plan;
  const rest = {
    config,
    files: plan.files,
    warnings,
    refusedRoutes,
    record: config.docker === null ? NOTHING : record,
  };
  if (before !== null) return { ...rest, failures: '' };
  // What containers ask for must not fail the tests of the file.
  const tried =
    routes.length === 0 ? config : planFile(options, file, paint, { files: recordedFiles(record) }).config;
  return { ...rest, failures: renderFailures(tried, file, paint) };
}

function filesOf({ record = null }: ReadRequest): FileAccess {
  return record === null ? SYSTEM_FILES : recordedFiles(record);
}

/** null: the file and the files it names are small. */
function readIfSmall(request: ReadRequest): SettingsReading | null {
  const files = filesOf(request);
  let bytes = 0;
  const readFile: FileAccess['readFile'] = (path, ...terms) => {
    bytes += sizeOf(path);
    return bytes > SMALL_BYTES ? '' : files.readFile(path, ...terms);
  };
  try {
    if (sizeOf(request.file) > SMALL_BYTES) return null;
    const reading = readHere(request, { ...files, readFile });
    return bytes > SMALL_BYTES ? null : reading;
  } catch (error) {
    if (bytes > SMALL_BYTES) return null;
    throw error;
  }
}

/** 0 when the size is unknown: reading the file then reports the reason. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** null: no other thread could be started. */
async function readInWorker(request: ReadRequest): Promise<SettingsReading | null> {
  const { MessageChannel, receiveMessageOnPort, Worker } = await import('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  const next = (): GraphChunk | null => (receiveMessageOnPort(port1)?.message as GraphChunk) ?? null;
  const workerData: WorkerRequest = { ...request, port: port2 };
  let worker: Worker | null = null;
  try {
    worker = new Worker(new URL('./settings-worker.js', import.meta.url), {
      workerData,
      transferList: [port2],
    });
    const answer = await answerOf(worker);
    if (answer === null) return null;
    if (answer.kind === 'refused') throw new StartSettingsError(answer.report, answer.files);
    if (answer.kind === 'failed') throw Object.assign(new Error(answer.message), { stack: answer.stack });
    const { kind: _, ...reading } = answer;
    return { config: (await inSlices(decodeGraph(next))) as Config, ...reading };
  } catch (error) {
    // The constructor throws where threads are not allowed (`node --permission`).
    if (worker === null) return null;
    throw error;
  } finally {
    port1.close();
    void worker?.terminate();
  }
}

/** null: the thread has ended without an answer. Rejects if its memory was not enough. It does not keep the process running. */
function answerOf(worker: Worker): Promise<WorkerAnswer | null> {
  worker.unref();
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    // A file that exhausts the memory of the thread would exhaust that of this one too.
    worker.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? reject(error) : resolve(null),
    );
    worker.once('exit', () => resolve(null));
  });
}
