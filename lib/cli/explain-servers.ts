import { formatDuration } from '../base/units.js';
import type {
  AlgorithmConfig,
  HoldConfig,
  RouteConfig,
  ServerTlsConfig,
  StickyConfig,
} from '../config/types.js';
import { algorithmOf, describeAlgorithm } from '../routing/dry-run/algorithm-text.js';
import type { Forwarded } from '../routing/dry-run/outcome.js';
import type { Server } from '../servers/server.js';
import { longest } from './error-text.js';
import type { Paint } from './paint.js';

/** A line of a section; what does not fit continues on the next line, indented further. */
export interface Line {
  readonly text: string;
  readonly tint?: (text: string) => string;
  readonly indent?: number;
}

/** Which servers may serve a request, which one does if that is known, and what decides it. */
export function serverLines({ servers, server, choice, route }: Forwarded, paint: Paint): Line[] {
  const width = longest(servers.map(({ name }) => name));
  const secured = securedServers(route);
  const lines: Line[] = servers.map((server) => {
    const { name, address, obstacle } = server;
    const where = name === address.text ? '' : address.text;
    const source = address.text === '' ? ['not asked'] : [];
    const notes = [...source, ...tlsNotes(secured.get(name)), ...notesOn(server, servers)].join(', ');
    const text = [where === '' && notes === '' ? name : name.padEnd(width), where, notes].filter(Boolean);
    return { text: text.join('  '), tint: obstacle === '' ? paint.cyan : paint.dim };
  });
  const { sticky } = route;
  if (choice !== 'open') lines.push({ text: `${server.name}, ${reason(choice, route)}`, tint: paint.green });
  else if (servers.length > 1) lines.push({ text: turnText(algorithmOf(route), servers), tint: paint.dim });
  if (sticky !== null && choice !== 'bound') lines.push({ text: stickyText(sticky), tint: paint.dim });
  if (route.hold !== null) lines.push({ text: holdText(route.hold), tint: paint.dim });
  return lines;
}

/** By the names of servers with TLS, how it is configured. A server that was added while running is not among them. */
function securedServers({ action }: RouteConfig): ReadonlyMap<string, ServerTlsConfig> {
  const secured = new Map<string, ServerTlsConfig>();
  if (action.kind !== 'forward') return secured;
  const { servers, providers } = action.group;
  for (const { name, tls } of servers) if (tls !== null) secured.set(name, tls);
  for (const { text, terms } of providers) if (terms.tls !== null) secured.set(text, terms.tls);
  return secured;
}

function tlsNotes(tls: ServerTlsConfig | undefined): string[] {
  if (tls === undefined) return [];
  if (!tls.verify) return ['TLS, certificate not verified'];
  return [tls.serverName === null ? 'TLS' : `TLS as ${tls.serverName}`];
}

/** Notes on a server besides its address. */
function notesOn({ weight, backup, obstacle }: Server, servers: readonly Server[]): string[] {
  const uneven = servers.some((other) => other.weight !== weight);
  return [
    ...(uneven && weight > 0 ? [`weight ${weight}`] : []),
    ...(backup ? ['backup: while no other can be used'] : []),
    ...(obstacle === '' ? [] : [`no new requests: ${obstacle}`]),
  ];
}

function holdText({ for: ms, maxRequests }: HoldConfig): string {
  return `while none is up: waits up to ${formatDuration(ms)} for one, with ${maxRequests} requests at most`;
}

function turnText(algorithm: AlgorithmConfig | null, servers: readonly Server[]): string {
  if (algorithm === null) return '';
  const uneven = servers.some(({ weight }) => weight !== servers[0]?.weight) && algorithm.name !== 'first';
  return `of those that are up: ${describeAlgorithm(algorithm)}${uneven ? ', by weight' : ''}`;
}

function reason(choice: 'bound' | 'settled', route: RouteConfig): string {
  const algorithm = algorithmOf(route);
  if (choice === 'bound') return `as ${stickyName(route.sticky)} says`;
  return algorithm === null ? '' : `while it is up: ${describeAlgorithm(algorithm)}`;
}

function stickyName(sticky: StickyConfig | null): string {
  return sticky === null ? 'sticky' : `sticky.${sticky.kind} ${sticky.name}`.trimEnd();
}

function stickyText(sticky: StickyConfig): string {
  return sticky.kind === 'cookie'
    ? `the server that answers is named in the cookie ${sticky.name}, and serves the client from then on`
    : `${stickyName(sticky)} would bind the client; the request has none`;
}
