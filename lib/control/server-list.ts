import type { Availability, Observer } from '../base/observer.js';

/** One server as it is meant to be used. */
export interface Entry {
  readonly routes: readonly string[];
  readonly weight: number;
  readonly availability: Availability;
}

/** Every server by its name, at one moment. */
export type ServerList = ReadonlyMap<string, Entry>;

/** Tells the observer of each server that came, went or changed between two moments. */
export function announceDifferences(before: ServerList, after: ServerList, observer: Observer): void {
  for (const [name, { routes, weight, availability }] of after) {
    const was = before.get(name);
    const served = new Set(was?.routes);
    for (const route of routes)
      if (!served.has(route)) observer.event?.({ what: 'added', server: name, route });
    if (was === undefined) continue;
    if (was.weight !== weight)
      observer.event?.({ what: 'weight', server: name, to: weight, from: was.weight });
    if (was.availability !== availability)
      observer.event?.({ what: 'availability', server: name, to: availability, from: was.availability });
  }
  for (const name of before.keys()) if (!after.has(name)) observer.event?.({ what: 'removed', server: name });
}

/** What changed between two moments in one line, for the log: `added c; removed a`. */
export function describeChange(before: ServerList, after: ServerList): string {
  const added = [...after.keys()].filter((name) => !before.has(name));
  const removed = [...before.keys()].filter((name) => !after.has(name));
  const changed = [...after].filter(([name, { weight }]) => (before.get(name)?.weight ?? weight) !== weight);
  const parts = [
    added.length > 0 ? `added ${added.join(', ')}` : '',
    removed.length > 0 ? `removed ${removed.join(', ')}` : '',
    changed.length > 0
      ? `weight of ${changed.map(([name, { weight }]) => `${name} now ${weight}`).join(', ')}`
      : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'the same servers' : parts.join('; ');
}

/** Has every route the same servers? */
export function isSameRouting(before: ServerList, after: ServerList): boolean {
  const routing = (serverList: ServerList): string =>
    JSON.stringify([...serverList].map(([name, { routes }]) => [name, routes]));
  return routing(before) === routing(after);
}
