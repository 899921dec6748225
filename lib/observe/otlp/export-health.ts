import type { Observer } from '../../base/observer.js';
import type { Clock } from '../../base/timer-wheel.js';

/** ms until a failed request is repeated: doubled each time, up to the last one. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 30_000;

/** Whether a collector takes one signal: counts, events, and when it is asked again. */
export class ExportHealth {
  readonly #signal: 'traces' | 'metrics';
  readonly #clock: Clock;
  readonly #observer: Observer;
  /** Since the last success. */
  #failures = 0;
  #failingSince = 0;
  requests = { ok: 0, failed: 0 };

  constructor(signal: 'traces' | 'metrics', clock: Clock, observer: Observer) {
    this.#signal = signal;
    this.#clock = clock;
    this.#observer = observer;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** `dropped`: what was lost since it failed for the first time. */
  succeeded(dropped: number): void {
    this.requests.ok++;
    if (this.#failures === 0) return;
    this.#failures = 0;
    const failedMs = this.#clock.now() - this.#failingSince;
    this.#observer.event?.({ what: 'export_recovered', signal: this.#signal, failedMs, dropped });
  }

  /** Reported once, not at every attempt. Returns the ms until the next one; `waitMs`: what the collector asks for. */
  failed(detail: string, waitMs: number | null): number {
    this.requests.failed++;
    this.#failures++;
    if (this.#failures === 1) {
      this.#failingSince = this.#clock.now();
      this.#observer.event?.({ what: 'export_failed', signal: this.#signal, detail });
    }
    const pause = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(this.#failures - 1, 10));
    // Spread, as all balancers notice at the same time that a collector is away.
    return waitMs ?? pause / 2 + (Math.random() * pause) / 2;
  }
}
