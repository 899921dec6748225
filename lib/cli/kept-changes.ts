import { inSlices } from '../base/slices.js';
import { type ChangeStore, type Changes, readChanges, writeSteps } from '../control/changes.js';
import type { StateFile } from './state-file.js';

/**
 * The changes of operators, kept for the next process: in the state file, if there is one, and for a new program that takes
 * over from this one.
 */
export class KeptChanges implements ChangeStore {
  readonly changes: Changes | null;
  readonly #file: StateFile | null;
  #latest: Changes | null;
  #isReleased = false;

  /** `handed`: what the old program says, which knows more than a file that it may not have had; null without one. */
  constructor(file: StateFile | null, handed: string | null) {
    this.#file = file;
    this.changes = handed === null ? (file?.changes ?? null) : readChanges(handed);
    this.#latest = this.changes;
    if (handed !== null && this.changes !== null) file?.keep(this.changes);
  }

  keep(changes: Changes): void {
    this.#latest = changes;
    if (!this.#isReleased) this.#file?.keep(changes);
  }

  /** Resolves with all changes as text, when what was to be written is written; null without any. */
  async handOver(): Promise<string | null> {
    await this.#file?.close();
    return this.#latest === null ? null : inSlices(writeSteps(this.#latest));
  }

  /** Another process writes the file from now on. */
  release(): void {
    this.#isReleased = true;
  }

  /** Resolves when everything is written or cannot be written. */
  async close(): Promise<void> {
    await this.#file?.close();
  }
}
