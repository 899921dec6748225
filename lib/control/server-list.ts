import type { Availability, Observer } from '../base/observer.js';
import type { Steps } from '../base/slices.js';

/** One server with the settings wanted for it. */
export interface Entry {
  readonly routes: readonly string[];
  readonly weight: number;
  readonly availability: Availability;
}

/** All servers by name, at one moment. */
export type ServerList = ReadonlyMap<string, Entry>;

/** One server before and after a change; undefined where it is in no route. */
export interface Difference {
  readonly name: string;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** The most routes of one server that are reported individually: there may be 10,000 of them. */
const MOST_ROUTES = 20;
/** The most names that a line of the log lists. */
const MOST_NAMES = 100;

/** null when there is no difference. */
export function differenceOf(
  name: string,
  before: Entry | undefined,
  after: Entry | undefined,
): Difference | null {
  if (before === undefined && after === undefined) return null;
  if (
    before !== undefined &&
    after !== undefined &&
    before.weight === after.weight &&
    before.availability === after.availability &&
    hasSameRoutes(before, after)
  )
    return null;
  return { name, before, after };
}

function hasSameRoutes({ routes: before }: Entry, { routes: after }: Entry): boolean {
  return before.length === after.length && before.every((route, index) => route === after[index]);
}

/** Reports to the observer each server that was added or changed, then each that was removed. */
export function* announceDifferences(differences: readonly Difference[], observer: Observer): Steps<void> {
  for (const { name, before, after } of differences) {
    if (after === undefined) continue;
    yield* announceRoutes(name, before, after, observer);
    if (before === undefined) continue;
    if (before.weight !== after.weight)
      observer.event?.({ what: 'weight', server: name, to: after.weight, from: before.weight });
    if (before.availability !== after.availability)
      observer.event?.({
        what: 'availability',
        server: name,
        to: after.availability,
        from: before.availability,
      });
    yield;
  }
  for (const { name, after } of differences) {
    if (after === undefined) observer.event?.({ what: 'removed', server: name });
    yield;
  }
}

function* announceRoutes(
  name: string,
  before: Entry | undefined,
  { routes }: Entry,
  observer: Observer,
): Steps<void> {
  const served = new Set(before?.routes);
  let told = 0;
  let more = 0;
  for (const route of routes) {
    if (served.has(route)) continue;
    if (told++ < MOST_ROUTES) observer.event?.({ what: 'added', server: name, route });
    else more++;
    yield;
  }
  if (more === 0) return;
  const message = `${name} was added to ${more} more routes too: lb status lists them`;
  observer.event?.({ what: 'warning', message });
}

/** The differences between two moments in one line, for the log: `added c; removed a`. */
export function describeChange(differences: readonly Difference[]): string {
  const added: string[] = [];
  const removed: string[] = [];
  const weighed: string[] = [];
  for (const { name, before, after } of differences) {
    if (before === undefined) added.push(name);
    else if (after === undefined) removed.push(name);
    else if (before.weight !== after.weight) weighed.push(`${name} now ${after.weight}`);
  }
  const parts = [
    added.length > 0 ? `added ${listed(added)}` : '',
    removed.length > 0 ? `removed ${listed(removed)}` : '',
    weighed.length > 0 ? `weight of ${listed(weighed)}` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'the same servers' : parts.join('; ');
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ');
}
