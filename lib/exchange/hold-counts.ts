/** What became of the requests of a route that found no usable server, since the start. */
export interface HoldFigures {
  /** Requests that waited, each once. */
  held: number;
  /** Those among them that were given up after the time of `hold`. */
  timedOut: number;
  /** Requests that did not wait because `max_requests` waited already. */
  refused: number;
}

export const NO_HOLDS: Readonly<HoldFigures> = { held: 0, timedOut: 0, refused: 0 };

/** The same of one route in one thread, since it was reported. */
export interface HoldReport extends Readonly<HoldFigures> {
  readonly route: string;
}

/** What was counted since the last `takeHolds`, by route; null: `takeHolds` was never called. */
let recent: Map<string, HoldFigures> | null = null;

/** The counts of this thread since the last call, for another thread that adds them up; the first call begins to count. */
export function takeHolds(): readonly HoldReport[] {
  const taken = recent ?? new Map<string, HoldFigures>();
  recent = new Map();
  return [...taken].map(([route, figures]) => ({ route, ...figures }));
}

/** Counts what became of the requests of one route. */
export class HoldCounts {
  readonly #route: string;
  readonly figures: HoldFigures = { ...NO_HOLDS };
  /** How many wait now in this thread, or were resumed and have reached no server yet, in all lines that the route has had. */
  places = 0;

  constructor(route: string) {
    this.#route = route;
  }

  note(what: keyof HoldFigures): void {
    this.figures[what]++;
    if (recent === null) return;
    const figures = recent.get(this.#route) ?? { ...NO_HOLDS };
    figures[what]++;
    recent.set(this.#route, figures);
  }

  /** Adds what another thread has counted. */
  include({ held, timedOut, refused }: Readonly<HoldFigures>): void {
    this.figures.held += held;
    this.figures.timedOut += timedOut;
    this.figures.refused += refused;
  }
}
