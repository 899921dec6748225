import { parseHostName } from './host-name.js';
import { each, type Report } from './report.js';
import type { HostSettings, Settings } from './settings.js';
import type { ListenerConfig } from './types.js';

/** A redirect's target: the scheme and the host, if it has them, and the rest. */
const TARGET = /^(?:(https?|\{scheme\}):\/\/(\{host\}|[^/{}:]+))?(?=\/|\{path\}|$)(.*)$/i;

/** Warns of hosts whose redirect leads back to them: a browser follows it some twenty times, and shows an error. */
export function warnOfLoops(settings: Settings, listeners: readonly ListenerConfig[], report: Report): void {
  const isSecure = listeners.some(({ tls }) => tls !== null);
  for (const [host, path] of each(settings.hosts, ['hosts'])) {
    const scheme = schemeOfLoop(host);
    if (scheme === undefined || (scheme === 'https' && !isSecure)) continue;
    report.warning(
      [...path, 'redirect', 'to'],
      'leads back to this host: a client that follows it is redirected again and again',
      scheme === 'https' ? 'Set redirect: https for the listener without TLS instead.' : '',
    );
  }
}

/** The scheme of a redirect that leads to the host itself, `same` for that of the request; undefined for others. */
function schemeOfLoop({ host, redirect, routes, paths }: HostSettings): string | undefined {
  const [, scheme = 'same', target = '{host}', rest] = TARGET.exec(redirect?.to ?? '') ?? [];
  if (redirect?.to === undefined || rest === undefined) return undefined;
  const names = typeof host === 'string' ? [host] : (host ?? []);
  if (target !== '{host}' && !names.some((name) => isSameName(name, target))) return undefined;
  // A route of the host may answer the redirected request otherwise, and a path another path.
  const isSamePath = /^\{path\}(?:$|\?)/.test(rest);
  if (routes !== undefined || (paths !== undefined && !isSamePath)) return undefined;
  return scheme === '{scheme}' ? 'same' : scheme.toLowerCase();
}

function isSameName(one: string, other: string): boolean {
  return plainName(one) === plainName(other);
}

/** As it is compared; the text itself where it is no name, such as an expression. */
function plainName(text: string): string {
  try {
    const name = parseHostName(text);
    return name.kind === 'exact' ? name.name : text;
  } catch {
    return text;
  }
}
