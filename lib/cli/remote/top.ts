import { AdminError } from './admin-address.js';
import type { AdminClient } from './client.js';
import { RateMeter } from './rates.js';
import { type Pause, Screen, type ScreenContext } from './screen.js';
import { keysLine, TopOrder } from './top-order.js';
import { type Glance, topLines } from './top-text.js';
import type { EventView, TrafficView } from './view.js';

const INTERVAL_MS = 1000;
const EVENTS = 100;
const SECONDS = 120;

/** Reads the state of a balancer repeatedly, and keeps what a single reading does not show. */
class TopModel {
  readonly #client: AdminClient;
  readonly #meter = new RateMeter();
  readonly #events: EventView[] = [];
  #traffic: TrafficView[] = [];

  constructor(client: AdminClient) {
    this.#client = client;
  }

  /** Runs until the returned function is called. */
  listen(): () => void {
    return this.#client.events((event) => {
      this.#events.push(event);
      if (this.#events.length > EVENTS) this.#events.shift();
    });
  }

  async look(): Promise<Glance> {
    const status = await this.#client.status();
    const news = await this.#client.traffic(this.#traffic.at(-1)?.at ?? 0);
    this.#traffic = [...this.#traffic, ...news].slice(-SECONDS);
    return { status, rates: this.#meter.note(status), traffic: this.#traffic, events: this.#events };
  }
}

/**
 * The live view. If the balancer disappears, it waits for it. Rejects with an AdminError if the balancer is not there
 * at the start.
 */
export async function watchTop(client: AdminClient, context: ScreenContext): Promise<void> {
  const { terminal } = context;
  const { paint } = terminal;
  const watcher = new TopModel(client);
  let last = await watcher.look();
  let stop = watcher.listen();
  let isLost = false;
  let trouble = '';
  const order = new TopOrder();
  const lines = (): string[] => {
    const room = terminal.rows - 1;
    const shown = topLines(last, room, { width: terminal.columns, paint }, order).slice(0, room);
    const blanks = Array.from({ length: room - shown.length }, () => '');
    return [...shown, ...blanks, trouble === '' ? keysLine(order, terminal.columns, paint) : trouble];
  };
  const draw = async (): Promise<string[]> => {
    trouble = '';
    try {
      last = await watcher.look();
      if (isLost) {
        stop();
        stop = watcher.listen();
      }
      isLost = false;
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      isLost = true;
      const [what = ''] = error.message.split('. ');
      trouble = `${paint.red(`${what}: trying again`)}, q leaves`;
    }
    return lines();
  };
  try {
    await new Screen(context).run(draw, INTERVAL_MS, (key) => (order.press(key) ? lines() : null));
  } finally {
    stop();
  }
}

/** Two readings a second apart, for output without a terminal. */
export async function glance(client: AdminClient, pause: Pause): Promise<Glance> {
  const watcher = new TopModel(client);
  await watcher.look();
  await pause(INTERVAL_MS);
  return watcher.look();
}
