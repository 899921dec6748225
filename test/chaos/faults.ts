import { setTimeout as pause } from 'node:timers/promises';
import type { Origin } from './origins.js';

/** Something that befalls a server, and its end. */
export interface Fault {
  readonly name: string;
  readonly what: string;
  /** Is it bad all the time, and does it know afterwards what it was asked? */
  readonly keepsBook: boolean;
  /** Resolves when it has begun. */
  begin(origin: Origin): Promise<void>;
  /** Resolves when the server is well again. */
  end(origin: Origin): Promise<void>;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'killed',
    keepsBook: false,
    what: 'SIGKILL; it is started again at the end',
    begin: (origin) => origin.end('SIGKILL'),
    end: (origin) => origin.start(),
  },
  {
    name: 'hung',
    keepsBook: true,
    what: 'SIGSTOP: it accepts, and never answers; SIGCONT at the end',
    begin: async (origin) => origin.hang(),
    end: async (origin) => origin.wake(),
  },
  {
    name: 'reset',
    keepsBook: true,
    what: 'resets every connection in the middle of the answer',
    begin: async (origin) => origin.tell('break'),
    end: async (origin) => origin.tell('mend'),
  },
  {
    name: 'restarted',
    keepsBook: false,
    what: 'SIGTERM and started again at once',
    begin: async (origin) => {
      await origin.end('SIGTERM');
      await origin.start();
    },
    end: async () => {},
  },
];

/** Of a part of the run: how much of it the fault lasts, after how much of it. */
const BEFORE = 0.2;
const LASTING = 0.4;

/** When a fault began and ended; ms since the epoch. */
export interface Spell {
  readonly fault: Fault;
  readonly origin: Origin;
  readonly from: number;
  readonly to: number;
}

/** One fault of one server in `ms`. */
export async function spell(fault: Fault, origin: Origin, ms: number): Promise<Spell> {
  await pause(ms * BEFORE);
  const from = Date.now();
  await fault.begin(origin);
  await pause(ms * LASTING);
  const to = Date.now();
  await fault.end(origin);
  await pause(ms * (1 - BEFORE - LASTING));
  return { fault, origin, from, to };
}
