// What the reader looks at. All of it is in the URL after #, so that it can be sent to a colleague.

const SECTION_NAMES = ['certificates', 'providers', 'threads', 'nodes', 'firewall', 'bans', 'maintenance'];
/** The API takes 200 names of each kind, and a head of 16 KiB. */
const MOST_TOGGLED = 80;

/** Where the reader is: a search, a filter, what is unfolded, which page, or which route or server alone. */
export class Place {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#read();
    addEventListener('hashchange', () => {
      this.#read();
      this.onChange();
    });
  }

  #read() {
    const said = new URLSearchParams(location.hash.slice(1));
    this.search = said.get('search') ?? '';
    this.wrong = said.get('wrong') === 'true';
    this.offset = Math.max(0, Number(said.get('offset')) || 0);
    this.route = said.get('route');
    this.server = said.get('server');
    this.unfolded = new Set(said.getAll('unfold'));
    this.folded = new Set(said.getAll('fold'));
    this.opened = new Set(said.getAll('open').filter((name) => SECTION_NAMES.includes(name)));
    this.closed = new Set(said.getAll('close').filter((name) => SECTION_NAMES.includes(name)));
  }

  /** Is one route or server looked at alone? */
  get isAlone() {
    return this.route !== null || this.server !== null;
  }

  /** As it is in the URL, and as the API takes it. */
  get params() {
    const params = new URLSearchParams();
    if (this.search !== '') params.set('search', this.search);
    if (this.wrong) params.set('wrong', 'true');
    if (this.offset > 0) params.set('offset', String(this.offset));
    if (this.route !== null) params.set('route', this.route);
    if (this.server !== null) params.set('server', this.server);
    for (const name of this.unfolded) params.append('unfold', name);
    for (const name of this.folded) params.append('fold', name);
    for (const name of this.opened) params.append('open', name);
    for (const name of this.closed) params.append('close', name);
    return params;
  }

  /** Goes to the same place with changes, without a step for the button Back. @param {Partial<Place>} changes */
  change(changes) {
    Object.assign(this, changes);
    const hash = this.params.toString();
    history.replaceState(null, '', hash === '' ? location.pathname : `#${hash}`);
    this.onChange();
  }

  /** Unfolds or folds a route. @param {string} name @param {boolean} isFolded as it is now */
  toggleRoute(name, isFolded) {
    this.folded.delete(name);
    this.unfolded.delete(name);
    const toggled = isFolded ? this.unfolded : this.folded;
    toggled.add(name);
    // What was toggled first is again as it is usual.
    for (const first of toggled) {
      if (toggled.size <= MOST_TOGGLED) break;
      toggled.delete(first);
    }
    this.change({});
  }

  /** Opens or closes a section. @param {string} name @param {boolean} isOpen as it is now */
  toggleSection(name, isOpen) {
    this.opened.delete(name);
    this.closed.delete(name);
    (isOpen ? this.closed : this.opened).add(name);
    this.change({});
  }
}

/** Links to one route or server alone. @param {string} name */
export const routeLink = (name) => `#${new URLSearchParams({ route: name })}`;
export const serverLink = (name) => `#${new URLSearchParams({ server: name })}`;
