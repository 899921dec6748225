import { readdirSync } from 'node:fs';
import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
} from 'node:perf_hooks';
import { fileLimit } from '../net/shortage.js';

/** How often the delay of the event loop is measured, in ms. The kernel does it, without code of ours. */
const RESOLUTION_MS = 20;

/** The delay of the event loop, in seconds. */
export interface LoopLag {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The costs of the process as exposed: in seconds and bytes. */
export class ProcessFigures {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly startedAt = performance.timeOrigin / 1000;

  constructor() {
    this.#delay.enable();
  }

  close(): void {
    this.#delay.disable();
  }

  /** Since the last scrape. */
  takeLag(): LoopLag {
    const { mean, max } = this.#delay;
    const lag = {
      mean: secondsLate(mean),
      p50: secondsLate(this.#delay.percentile(50)),
      p99: secondsLate(this.#delay.percentile(99)),
      max: secondsLate(max),
    };
    this.#delay.reset();
    return lag;
  }

  get cpu(): { readonly user: number; readonly system: number } {
    const { user, system } = process.cpuUsage();
    return { user: user / 1e6, system: system / 1e6 };
  }

  /** How long the event loop was busy. */
  get loop(): EventLoopUtilization {
    return performance.eventLoopUtilization();
  }

  get memory(): NodeJS.MemoryUsage {
    return process.memoryUsage();
  }

  /** -1 where the system does not report it. */
  get openFiles(): number {
    try {
      return readdirSync('/proc/self/fd').length;
    } catch {
      return -1;
    }
  }

  /** -1 where the system does not report it. */
  get mostFiles(): number {
    return fileLimit();
  }
}

/** The recorded value is the time between two measurements; without any, it is not a number. */
function secondsLate(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000) || 0;
}
