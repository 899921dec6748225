import { draw, make, mark, say } from './elements.js';
import { duration } from './words.js';

const HEIGHT = 120;
const TOP = 18;
const BOTTOM = 100;
/** What is shown: five minutes, or as much as there is, but not less than one. */
export const SPAN_MS = 300_000;
const LEAST_SPAN_MS = 60_000;

/** A line over the last five minutes, or several; drawn to the pixel, so that its text stays sharp. */
export class Chart {
  /**
   * @param {{ title: string, unit: string, least: number, format: (value: number | null) => string,
   *   series: readonly { name: string, value: (point: any) => number | null }[] }} options
   */
  constructor(options) {
    this.options = options;
    this.points = [];
    this.end = 0;
    this.span = LEAST_SPAN_MS;
    this.lines = options.series.map((_, index) => draw(`path.line.line-${index}`));
    this.area = draw('path.area');
    this.ceiling = draw('text.axis', { x: 0, y: TOP - 4 });
    this.rule = draw('line.rule', { x1: 0, y1: TOP + 0.5, y2: TOP + 0.5 });
    this.base = draw('line.rule', { x1: 0, y1: BOTTOM + 0.5, y2: BOTTOM + 0.5 });
    this.start = draw('text.axis', { x: 0, y: HEIGHT - 5 });
    this.now = draw('text.axis.end', { y: HEIGHT - 5 }, 'now');
    this.cursor = draw('line.cursor', { y1: TOP, y2: BOTTOM, visibility: 'hidden' });
    this.svg = draw('svg.chart', { height: HEIGHT, role: 'img', 'aria-label': options.title });
    this.svg.append(
      this.rule,
      this.base,
      this.area,
      ...this.lines,
      this.cursor,
      this.ceiling,
      this.start,
      this.now,
    );
    this.figures = options.series.map(() => make('span.figure'));
    this.element = make('figure.card', {}, this.#caption(), make('div.frame', {}, this.svg));
    this.hovered = null;
    this.svg.addEventListener('pointermove', (event) => this.#hover(event));
    this.svg.addEventListener('pointerleave', () => this.#leave());
    new ResizeObserver(() => this.#render()).observe(this.svg);
  }

  #caption() {
    const { title, unit, series } = this.options;
    const several = series.length > 1;
    const legend = series.map(({ name }, index) =>
      make(
        'span.key',
        {},
        several ? swatch(index) : null,
        several ? make('span.name', {}, name) : null,
        this.figures[index],
      ),
    );
    this.when = make('span.when');
    const heading = make('span.title', {}, title);
    return make(
      'figcaption',
      {},
      make('span.heading', {}, heading, make('span.unit', {}, unit), this.when),
      make('span.keys', {}, ...legend),
    );
  }

  /** @param {readonly any[]} points oldest first @param {number} end ms since the epoch, at the right edge */
  update(points, end) {
    this.points = points;
    this.end = end;
    this.span = Math.min(SPAN_MS, Math.max(LEAST_SPAN_MS, end - (points[0]?.at ?? end)));
    this.#render();
  }

  #render() {
    const width = this.svg.clientWidth;
    if (width === 0) return;
    const { series, format, least, title, unit } = this.options;
    const values = series.map(({ value }) => this.points.map(value));
    const highest = Math.max(least, ...values.flat().filter((value) => value !== null));
    const ceiling = roundUp(highest);
    const x = (at) => width - ((this.end - at) / this.span) * width;
    const y = (value) => BOTTOM - (value / ceiling) * (BOTTOM - TOP);
    mark(this.svg, 'viewBox', `0 0 ${width} ${HEIGHT}`);
    for (const line of [this.rule, this.base]) mark(line, 'x2', String(width));
    mark(this.now, 'x', String(width));
    for (const [index, line] of this.lines.entries()) mark(line, 'd', this.#path(values[index], x, y, false));
    mark(this.area, 'd', series.length > 1 ? '' : this.#path(values[0], x, y, true));
    say(this.ceiling, format(ceiling));
    say(this.start, `${duration(this.span)} ago`);
    this.#showFigures(values, x);
    const told = series.map(
      ({ name }, index) => `${series.length > 1 ? `${name} ` : ''}${format(lastOf(values[index]))}`,
    );
    const top = Math.max(0, ...values.flat().filter((value) => value !== null));
    mark(
      this.svg,
      'aria-label',
      `${title}${unit === '' ? '' : `, ${unit}`}: now ${told.join(', ')}; at most ${format(top)} in five minutes`,
    );
  }

  /** Moves where there is a value, lines where there was one before. */
  #path(values, x, y, closed) {
    let path = '';
    let start = null;
    let last = null;
    const close = () => {
      if (closed && start !== null && last !== null) path += `L${last} ${BOTTOM}L${start} ${BOTTOM}Z`;
      start = null;
    };
    for (const [index, value] of values.entries()) {
      if (value === null) {
        close();
        continue;
      }
      const at = x(this.points[index].at).toFixed(1);
      path += `${start === null ? 'M' : 'L'}${at} ${y(value).toFixed(1)}`;
      start ??= at;
      last = at;
    }
    close();
    return path;
  }

  #showFigures(values, x) {
    const { format } = this.options;
    const index = this.hovered === null ? this.points.length - 1 : this.#nearest(this.hovered);
    for (const [series, figure] of this.figures.entries()) say(figure, format(values[series][index] ?? null));
    const point = this.hovered === null ? undefined : this.points[index];
    mark(this.cursor, 'visibility', point === undefined ? 'hidden' : 'visible');
    say(
      this.when,
      point === undefined ? '' : `${Math.max(0, Math.round((this.end - point.at) / 1000))} s ago`,
    );
    if (point === undefined) return;
    for (const name of ['x1', 'x2']) mark(this.cursor, name, x(point.at).toFixed(1));
  }

  #nearest(at) {
    let best = this.points.length - 1;
    for (const [index, point] of this.points.entries())
      if (Math.abs(point.at - at) < Math.abs((this.points[best]?.at ?? 0) - at)) best = index;
    return best;
  }

  #hover(event) {
    const box = this.svg.getBoundingClientRect();
    this.hovered = this.end - ((box.right - event.clientX) / box.width) * this.span;
    this.#render();
  }

  #leave() {
    this.hovered = null;
    this.#render();
  }
}

function swatch(index) {
  const line = draw(`path.line.line-${index}`, { d: 'M0 4H16' });
  return draw('svg.swatch', { viewBox: '0 0 16 8', 'aria-hidden': 'true' }, line);
}

const lastOf = (values) => values.at(-1) ?? null;

/** What a person reads at a glance, and no line is left to crawl along the floor under it. */
const CEILINGS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return CEILINGS.map((step) => step * power).find((step) => step >= value * 0.999) ?? value;
}
