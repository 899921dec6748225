import { type Context, oneOrMore } from './context.js';
import { openEnds, parseHostPattern, takenBy } from './host-pattern.js';
import { hostText } from './inventory.js';
import { each } from './report.js';
import { type ConfigScope, compileScope, enter } from './routes.js';
import type { HostSettings } from './settings.js';
import type { Path } from './tree.js';
import type { HostConfig, HostName, HostPattern } from './types.js';

/** Compiles the hosts of the file; a name may occur once. */
export function compileHosts(
  settings: readonly HostSettings[] | undefined,
  file: ConfigScope,
  context: Context,
): HostConfig[] {
  const firstPaths = new Map<string, Path>();
  const hosts: HostConfig[] = [];
  for (const [host, path] of each(settings, ['hosts'])) {
    const names: HostPattern[] = [];
    for (const [text, at] of oneOrMore(host.host, [...path, 'host'])) {
      const name = context.report.attempt(at, () => parseHostPattern(text));
      if (!name) continue;
      const key = hostText(name);
      const first = firstPaths.get(key);
      if (first) context.report.repeated(at, `${key} is given twice, first in`, first);
      else firstPaths.set(key, at);
      names.push(name);
      const open = name.kind === 'regex' ? openEnds(name.regex.source) : '';
      if (open !== '') context.report.warning(at, `matches longer hosts too, because it has ${open}`);
    }
    const written = typeof host.host === 'string' ? [host.host] : (host.host ?? []);
    const identities = written.map((text) =>
      text.startsWith('~') ? text : text.toLowerCase().replace(/\.$/, ''),
    );
    const [name = ''] = identities;
    const captures = groupsOfHost(names, [...path, 'host'], context);
    const place = enter(host, { name, identities, path, captures }, file, context);
    hosts.push({ names, scope: compileScope(host, place, 'host', context) });
  }
  tellTaken(hosts, firstPaths, context);
  return hosts;
}

/** The groups that `{$1}` stands for: those of the expression, if it is the only name of the host. */
function groupsOfHost(names: readonly HostPattern[], path: Path, { report }: Context): number {
  const groups = names.map((name) => (name.kind === 'regex' ? name.regex.groups : 0));
  const [first = 0] = groups;
  if (groups.some((count) => count !== first))
    report.problem(
      path,
      'the names of this host have different numbers of groups',
      'Write (?: where a group is not used, or make two hosts of it.',
    );
  return first;
}

/** Names are looked for before expressions, and these in the order of the file. */
function tellTaken(
  hosts: readonly HostConfig[],
  places: ReadonlyMap<string, Path>,
  { report }: Context,
): void {
  const all = hosts.flatMap(({ names }) => names);
  if (!all.some(({ kind }) => kind === 'regex')) return;
  const names = all.filter((name): name is HostName => name.kind !== 'regex');
  let everything: Path | undefined;
  const seen = new Set<string>();
  for (const name of all) {
    if (name.kind !== 'regex' || seen.has(hostText(name))) continue;
    seen.add(hostText(name));
    const at = places.get(hostText(name)) ?? [];
    const taker = takenBy(name.regex.source, names);
    const by = taker === undefined ? everything : places.get(hostText(taker));
    if (by !== undefined) report.repeated(at, 'never reached: all it matches is taken by', by);
    else if (/^\^?\(?\.[*+]\)?\$?$/.test(name.regex.source)) everything ??= at;
  }
}
