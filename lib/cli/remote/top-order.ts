import type { Paint } from '../paint.js';
import type { ServerRates } from './rates.js';

interface Order {
  readonly key: string;
  readonly name: string;
  /** What is sorted by, the greatest first; null: the order of the settings file. */
  readonly by: ((server: ServerRates) => number | string) | null;
}

const ORDERS: readonly Order[] = [
  { key: 'o', name: 'file', by: null },
  { key: 'n', name: 'name', by: ({ server }) => server.name },
  { key: 't', name: 'route', by: ({ server }) => server.routes[0] ?? '' },
  { key: 'r', name: 'rate', by: ({ requests }) => requests },
  { key: 'a', name: 'active', by: ({ server }) => server.active },
  { key: 'e', name: 'errors', by: ({ server, failures }) => server.errors + failures * 60 },
  { key: 'p', name: 'p99', by: ({ server }) => server.latency?.p99 ?? 0 },
];

/** How the servers of `lb top` are sorted, and how far they are scrolled: what keys change. */
export class TopOrder {
  #order = ORDERS[0] as Order;
  #first = 0;
  /** Rows of the screen at the last drawing, and rows in all. */
  #room = 1;
  #rows = 0;

  get key(): string {
    return this.#order.key;
  }

  /** Does the key change anything? */
  press(key: string): boolean {
    const order = ORDERS.find((one) => one.key === key);
    if (order !== undefined) {
      this.#order = order;
      this.#first = 0;
      return true;
    }
    const to = this.#moved(key);
    if (to === null) return false;
    this.#first = to;
    return true;
  }

  #moved(key: string): number | null {
    switch (key) {
      case 'up':
        return Math.max(0, this.#first - 1);
      case 'down':
        return this.#first + 1;
      case 'page up':
        return Math.max(0, this.#first - this.#room);
      case 'page down':
        return this.#first + this.#room;
      case 'home':
        return 0;
      case 'end':
        return this.#rows;
      default:
        return null;
    }
  }

  sorted(servers: readonly ServerRates[]): readonly ServerRates[] {
    const { by } = this.#order;
    return by === null ? servers : [...servers].sort((one, other) => compare(by(one), by(other)));
  }

  /** The first row that is shown, of so many, when there is room for some. */
  scrolled(rows: number, room: number): number {
    this.#room = room;
    this.#rows = rows;
    this.#first = Math.min(this.#first, Math.max(0, rows - room));
    return this.#first;
  }
}

/** Texts from A to Z, numbers from the greatest to the least. */
function compare(one: number | string, other: number | string): number {
  if (typeof one === 'number' && typeof other === 'number') return other - one;
  return String(one) < String(other) ? -1 : 1;
}

/** The keys, for the bottom of the screen: what is sorted by stands out. */
export function keysLine(order: TopOrder, width: number, paint: Paint): string {
  const names = ORDERS.map(({ key, name }) => {
    const text = `${key} ${name}`;
    return key === order.key ? { text, shown: paint.bold(text) } : { text, shown: paint.dim(text) };
  });
  const tail = ['↑↓ scroll', 'q leaves'];
  const length = [...names.map(({ text }) => text), ...tail].join('  ').length;
  // A narrow window has the letters alone.
  const shown =
    length <= width
      ? names.map((one) => one.shown)
      : [
          ORDERS.map(({ key }) => (key === order.key ? paint.bold(key) : paint.dim(key))).join(' ') +
            paint.dim(' sort'),
        ];
  return [...shown, ...tail.map(paint.dim)].join('  ');
}
