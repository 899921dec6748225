import { rename } from 'node:fs/promises';
import { readRegularFile } from '../base/regular-file.js';
import { replaceFile } from '../base/replace-file.js';
import { inSlices } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import { type ChangeStore, type Changes, readChanges, writeChanges, writeSteps } from '../control/changes.js';
import { OperationError } from '../control/status/operations.js';

const NONE: Changes = {
  weights: new Map(),
  availability: new Map(),
  fileWeights: new Map(),
  maintenance: [],
  added: [],
  removed: [],
};

/**
 * `state_file`: changes made by operators, kept for the next process. The file is replaced as a whole, so it is never
 * half written; changes during a write are written together afterwards.
 */
export class StateFile implements ChangeStore {
  readonly changes: Changes;
  readonly #path: string;
  readonly #warning: (message: string) => void;
  #wanted: Changes;
  #written: Changes | null = null;
  #text = '';
  #writing: Promise<void> | null = null;

  private constructor(path: string, changes: Changes, warning: (message: string) => void) {
    this.#path = path;
    this.changes = changes;
    this.#warning = warning;
    this.#wanted = changes;
  }

  /**
   * Reads the file, and makes sure that it can be written. A file that cannot be understood is renamed with a warning.
   * Rejects with the system's error when it cannot be read or written.
   */
  static async open(path: string, warning: (message: string) => void): Promise<StateFile> {
    const file = new StateFile(path, await readKept(path, warning), warning);
    await file.#replace(writeChanges(file.changes));
    return file;
  }

  keep(changes: Changes): void {
    this.#wanted = changes;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
  }

  /** Resolves when everything is written or cannot be written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#wanted !== this.#written) {
      const wanted = this.#wanted;
      const text = await inSlices(writeSteps(wanted));
      try {
        if (text !== this.#text) await this.#replace(text);
        this.#written = wanted;
      } catch (error) {
        const { message } = error as Error;
        this.#warning(`state_file: ${message}; a restart would not know of the last changes`);
        return;
      }
    }
  }

  async #replace(text: string): Promise<void> {
    // A file left by an earlier version may be readable by others.
    await replaceFile(this.#path, text, 0o600);
    this.#text = text;
  }
}

async function readKept(path: string, warning: (message: string) => void): Promise<Changes> {
  try {
    return readChanges(readRegularFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    if (!(error instanceof ValueError || error instanceof OperationError)) throw error;
    const aside = `${path}.bad`;
    await rename(path, aside);
    warning(
      `state_file: ${error.message}; it is ${aside} now, and the servers are those of the settings file alone`,
    );
    return NONE;
  }
}
