import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
} from 'node:perf_hooks';
import type { Clock } from '../base/timer-wheel.js';

/** How often the delay of the event loop is measured, in ms. */
const RESOLUTION_MS = 20;
/** How long a measurement is shown at least, in ms. */
const WINDOW_MS = 5000;
/** The share of time that the event loop works is measured over this long at least, in ms. */
const SHORTEST_MS = 200;
/** The share of time from which on delays are measured: a measurement wakes an idle thread 50 times per second. */
const BUSY = 0.01;

/** How busy a thread is. */
export interface ThreadBusyness {
  /** The share of the last quarter of a second that its event loop worked, from 0 to 1. */
  readonly busy: number;
  /** The 99th percentile of what the event loop was late by, in ms, over the last five to ten seconds. */
  readonly loopDelayMs: number;
}

/** Measures the event loop of its thread. */
export class ThreadLoad {
  readonly #clock: Clock;
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #isMeasuring = false;
  #before: EventLoopUtilization = performance.eventLoopUtilization();
  #readAt: number;
  #busy = 0;
  #windowEnds: number;
  /** Of the window before. */
  #lastDelay = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readAt = clock.now();
    this.#windowEnds = this.#readAt + WINDOW_MS;
  }

  /** To be called several times per second. */
  read(): ThreadBusyness {
    const now = this.#clock.now();
    if (now - this.#readAt >= SHORTEST_MS) this.#readBusy(now);
    const delay = this.#isMeasuring ? this.#delay() : 0;
    if (now >= this.#windowEnds) this.#turn(delay, now);
    return { busy: this.#busy, loopDelayMs: Math.max(delay, this.#lastDelay) };
  }

  close(): void {
    this.#delays.disable();
  }

  #delay(): number {
    if (this.#delays.count === 0) return 0;
    return Math.max(0, this.#delays.percentile(99) / 1e6 - RESOLUTION_MS);
  }

  #readBusy(now: number): void {
    this.#readAt = now;
    const utilization = performance.eventLoopUtilization();
    this.#busy = performance.eventLoopUtilization(utilization, this.#before).utilization;
    this.#before = utilization;
    if (this.#busy >= BUSY !== this.#isMeasuring) this.#switch(this.#busy >= BUSY);
  }

  #turn(delay: number, now: number): void {
    this.#windowEnds = now + WINDOW_MS;
    this.#lastDelay = delay;
    this.#delays.reset();
  }

  #switch(on: boolean): void {
    this.#isMeasuring = on;
    if (on) this.#delays.enable();
    else this.#delays.disable();
  }
}
