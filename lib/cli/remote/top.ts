import { AdminError } from './admin-address.js';
import type { AdminClient } from './client.js';
import { RateMeter } from './rates.js';
import { type Pause, Screen, type ScreenContext } from './screen.js';
import { type Glance, topLines } from './top-text.js';
import type { EventView, TrafficView } from './view.js';

const INTERVAL_MS = 1000;
const EVENTS = 100;
const SECONDS = 120;

/** Looks at a balancer again and again, and remembers what a single look would not tell. */
class TopModel {
  readonly #client: AdminClient;
  readonly #meter = new RateMeter();
  readonly #events: EventView[] = [];
  #traffic: TrafficView[] = [];

  constructor(client: AdminClient) {
    this.#client = client;
  }

  /** Until the returned function is called. */
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

/** The live view; a balancer that is gone for a while is waited for. Rejects with an AdminError if it is not there at all. */
export async function watchTop(client: AdminClient, context: ScreenContext): Promise<void> {
  const { terminal } = context;
  const { paint } = terminal;
  const watcher = new TopModel(client);
  let last = await watcher.look();
  let stop = watcher.listen();
  let isLost = false;
  const draw = async (): Promise<string[]> => {
    let trouble = '';
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
    const room = terminal.rows - 1;
    const lines = topLines(last, room, { width: terminal.columns, paint }).slice(0, room);
    const blanks = Array.from({ length: room - lines.length }, () => '');
    return [...lines, ...blanks, trouble === '' ? paint.dim('q leaves') : trouble];
  };
  try {
    await new Screen(context).run(draw, INTERVAL_MS);
  } finally {
    stop();
  }
}

/** Two looks a second apart: what there is to see where there is no screen. */
export async function glance(client: AdminClient, pause: Pause): Promise<Glance> {
  const watcher = new TopModel(client);
  await watcher.look();
  await pause(INTERVAL_MS);
  return watcher.look();
}
