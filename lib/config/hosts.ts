import { type Context, oneOrMore } from './context.js';
import { parseHostName } from './host-name.js';
import { each } from './report.js';
import { type ConfigScope, compileScope, enter } from './routes.js';
import type { HostSettings } from './settings.js';
import type { Path } from './tree.js';
import type { HostConfig, HostName } from './types.js';

/** Compiles the hosts of the file; a name may occur once. */
export function compileHosts(
  settings: readonly HostSettings[] | undefined,
  file: ConfigScope,
  context: Context,
): HostConfig[] {
  const firstPaths = new Map<string, Path>();
  const hosts: HostConfig[] = [];
  for (const [host, path] of each(settings, ['hosts'])) {
    const names: HostName[] = [];
    for (const [text, at] of oneOrMore(host.host, [...path, 'host'])) {
      const name = context.report.attempt(at, () => parseHostName(text));
      if (!name) continue;
      const key = name.kind === 'exact' ? name.name : `*${name.suffix}`;
      const first = firstPaths.get(key);
      if (first) context.report.repeated(at, `${key} is given twice, first in`, first);
      else firstPaths.set(key, at);
      names.push(name);
    }
    const written = typeof host.host === 'string' ? [host.host] : (host.host ?? []);
    const identities = written.map((text) => text.toLowerCase().replace(/\.$/, ''));
    const [name = ''] = identities;
    const place = enter(host, { name, identities, path }, file, context);
    hosts.push({ names, scope: compileScope(host, place, 'host', context) });
  }
  return hosts;
}
