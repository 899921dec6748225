import { statSync } from 'node:fs';
import type { MessagePort, Worker } from 'node:worker_threads';
import { decodeGraph, type GraphChunk } from '../base/object-graph.js';
import { readRegularFile } from '../base/regular-file.js';
import { inSlices } from '../base/slices.js';
import type { Config } from '../config/types.js';
import type { RunOptions } from './args.js';
import { renderFailures } from './check.js';
import { createPaint } from './paint.js';
import { planFile, StartSettingsError } from './start-settings.js';

/** Files of so many bytes in all are read in this thread: that takes some 20 ms, and a thread of its own 200 ms to start. */
const SMALL_BYTES = 32 * 1024;

/** What a settings file comes to when it is read again, its tests included. */
export interface SettingsReading {
  readonly config: Config;
  /** That one, and those it names. */
  readonly files: readonly string[];
  /** Ready to print; empty when there are none. */
  readonly warnings: string;
  /** The tests in it that fail, ready to print; empty when there are none. */
  readonly failures: string;
}

/** What is read, and how it is shown. */
export interface ReadRequest {
  readonly options: RunOptions;
  readonly file: string;
  readonly inColour: boolean;
}

/** What the other thread is started with: the configuration comes through `port`, in chunks. */
export interface WorkerRequest extends ReadRequest {
  readonly port: MessagePort;
}

/** What the other thread answers once all chunks have been posted. */
export type WorkerAnswer =
  | ({ readonly kind: 'read' } & Omit<SettingsReading, 'config'>)
  | { readonly kind: 'refused'; readonly report: string }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string };

/**
 * Reads a settings file while requests go on: a large one in another thread, from which the configuration comes back in
 * pieces. Rejects with a StartSettingsError that shows everything that is wrong with it.
 */
export async function readSettings(request: ReadRequest): Promise<SettingsReading> {
  const small = readIfSmall(request);
  if (small !== null) return small;
  return (await readInWorker(request)) ?? readHere(request);
}

/** In this thread. */
export function readHere(
  { options, file, inColour }: ReadRequest,
  readFile?: (path: string, maxBytes?: number) => string,
): SettingsReading {
  const paint = createPaint(inColour);
  const { config, files, warnings } = planFile(options, file, paint, readFile);
  return { config, files, warnings, failures: renderFailures(config, file, paint) };
}

/** null: the file, and those that it names, have more than a few bytes. */
function readIfSmall(request: ReadRequest): SettingsReading | null {
  let bytes = 0;
  const readFile = (path: string, maxBytes?: number): string => {
    bytes += sizeOf(path);
    return bytes > SMALL_BYTES ? '' : readRegularFile(path, maxBytes);
  };
  try {
    if (sizeOf(request.file) > SMALL_BYTES) return null;
    const reading = readHere(request, readFile);
    return bytes > SMALL_BYTES ? null : reading;
  } catch (error) {
    if (bytes > SMALL_BYTES) return null;
    throw error;
  }
}

/** 0 where it cannot be told: whoever reads the file finds out why. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** null: there is no other thread to be had. */
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
    if (answer.kind === 'refused') throw new StartSettingsError(answer.report);
    if (answer.kind === 'failed') throw Object.assign(new Error(answer.message), { stack: answer.stack });
    const { files, warnings, failures } = answer;
    return { config: (await inSlices(decodeGraph(next))) as Config, files, warnings, failures };
  } catch (error) {
    // Where there may be no threads (`node --permission`), the constructor throws.
    if (worker === null) return null;
    throw error;
  } finally {
    port1.close();
    void worker?.terminate();
  }
}

/** null: the thread has ended without an answer. It does not keep the process running. */
function answerOf(worker: Worker): Promise<WorkerAnswer | null> {
  worker.unref();
  return new Promise((resolve) => {
    worker.once('message', resolve);
    worker.once('error', () => resolve(null));
    worker.once('exit', () => resolve(null));
  });
}
