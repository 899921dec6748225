import { isIP } from 'node:net';
import { type Fields, mapOf } from '../base/json.js';
import { ValueError } from '../base/units.js';
import type { DnsFamily } from '../config/types.js';
import { addressText } from './addresses.js';
import type { DiscoveredServer } from './contract.js';

/**
 * ready: it gets new requests. leaving: it is terminating and still answers, so it gets new requests only while nobody is
 * ready, as kube-proxy has it (KEP-1669). out: it gets none.
 */
type Standing = 'ready' | 'leaving' | 'out';

interface Endpoint {
  /** As a server has it: IPv6 without brackets. */
  readonly address: string;
  /** The name of the pod; null where it is none. */
  readonly pod: string | null;
  readonly standing: Standing;
}

interface SlicePort {
  /** Empty for the only port of a Service. */
  readonly name: string;
  /** null: all ports. */
  readonly number: number | null;
}

/** What matters of an EndpointSlice of `discovery.k8s.io/v1`. */
export interface Slice {
  readonly name: string;
  readonly type: 'IPv4' | 'IPv6' | 'FQDN';
  /** Those of TCP. */
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly Endpoint[];
}

/** The servers of slices, and what is wrong with a part of them. */
export interface SliceServers {
  readonly servers: readonly DiscoveredServer[];
  /** Empty by default. */
  readonly trouble: string;
}

/** Which port of the endpoints: the name in the Service, the number in the pods, or null for the only one. */
export type WantedPort = string | number | null;

/**
 * Reads an EndpointSlice. A condition that is missing is unknown: `ready` then counts as true, `serving` is what `ready` is, and
 * `terminating` counts as false, as the API says. Throws a ValueError.
 */
export function parseSlice(value: unknown): Slice {
  const { metadata, addressType, ports, endpoints } = mapOf(value, 'an EndpointSlice');
  const { name } = mapOf(metadata, 'metadata');
  if (typeof name !== 'string' || name === '') throw new ValueError('an EndpointSlice has no name');
  if (addressType !== 'IPv4' && addressType !== 'IPv6' && addressType !== 'FQDN')
    throw new ValueError(`the EndpointSlice ${name} has an unknown addressType`);
  return {
    name,
    type: addressType,
    ports: listOf(ports, `ports of ${name}`).flatMap(parsePort),
    endpoints: listOf(endpoints, `endpoints of ${name}`).flatMap((one) => parseEndpoint(one, addressType)),
  };
}

function parsePort(value: unknown): SlicePort[] {
  const { name, port, protocol } = mapOf(value, 'a port');
  if (typeof protocol === 'string' && protocol !== 'TCP') return [];
  const isNumber = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
  return [{ name: typeof name === 'string' ? name : '', number: isNumber ? port : null }];
}

function parseEndpoint(value: unknown, type: Slice['type']): Endpoint[] {
  const { addresses, conditions, targetRef } = mapOf(value, 'an endpoint');
  // All addresses of an endpoint are the same endpoint: the first is used.
  const [address] = listOf(addresses, 'addresses');
  if (address === undefined) return [];
  if (typeof address !== 'string' || (type !== 'FQDN' && isIP(address) !== (type === 'IPv4' ? 4 : 6)))
    throw new ValueError(`expected an address of ${type}, got ${JSON.stringify(address)?.slice(0, 60)}`);
  const { ready, serving, terminating } = mapOf(conditions ?? {}, 'conditions');
  const isReady = ready !== false;
  const isServing = serving === undefined || serving === null ? isReady : serving === true;
  const standing = isReady ? 'ready' : isServing && terminating === true ? 'leaving' : 'out';
  return [{ address, pod: podOf(targetRef), standing }];
}

/** null too for a name that no server can have. */
function podOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, name } = value as Fields;
  return kind === 'Pod' && typeof name === 'string' && /^[!-9;-~]{1,64}$/.test(name) ? name : null;
}

/**
 * The servers that get requests: those that are ready; if there is none, those that leave and still answer. An endpoint of
 * several slices is one server. Throws a ValueError where none of the slices has the port.
 */
export function serversOf(slices: Iterable<Slice>, port: WantedPort, family: DnsFamily): SliceServers {
  const all = [...slices].sort((one, other) => (one.name < other.name ? -1 : 1));
  const named = all.find(({ type }) => type === 'FQDN');
  const trouble =
    named === undefined
      ? ''
      : `the EndpointSlice ${named.name} has names (FQDN), which are not followed: use dns`;
  const numbers = all.filter(({ type }) => type !== 'FQDN');
  const used = ofFamily(numbers, family);
  const portOf = portChooser(used, port);
  const endpoints = mergeEndpoints(used, portOf);
  const of = (wanted: Standing): DiscoveredServer[] =>
    [...endpoints].flatMap(([address, { pod, standing }]) =>
      standing === wanted ? [serverOf(address, pod)] : [],
    );
  const ready = of('ready');
  return { servers: ready.length > 0 ? ready : of('leaving'), trouble };
}

/** A pod of a Service with two families is in slices of both, and is one server: IPv4, unless something else is asked for. */
function ofFamily(slices: readonly Slice[], family: DnsFamily): readonly Slice[] {
  if (family === 'both') return slices;
  const hasV4 = slices.some(({ type, endpoints }) => type === 'IPv4' && endpoints.length > 0);
  const type = family === 'ipv4' || (family === 'auto' && hasV4) ? 'IPv4' : 'IPv6';
  return slices.filter((slice) => slice.type === type);
}

/** Which port the endpoints of a slice have; null: none. Slices may differ, as pods may that have a named port. */
function portChooser(slices: readonly Slice[], wanted: WantedPort): (slice: Slice) => number | null {
  const filled = slices.filter(({ endpoints }) => endpoints.length > 0);
  if (typeof wanted === 'number') {
    // Slices without ports, as those of a headless Service, have no say.
    const has = ({ ports }: Slice): boolean =>
      ports.length === 0 || ports.some(({ number }) => number === wanted || number === null);
    if (filled.length > 0 && !filled.some(has))
      throw new ValueError(`no port ${wanted}, only ${namesOf(filled)}`);
    return (slice) => (has(slice) ? wanted : null);
  }
  const name = wanted ?? onlyPort(filled);
  const numberOf = ({ ports }: Slice): number | null =>
    ports.find((one) => one.name === name)?.number ?? null;
  if (filled.length > 0 && filled.every((slice) => numberOf(slice) === null))
    throw new ValueError(`no port ${JSON.stringify(name)}, only ${namesOf(filled)}`);
  return numberOf;
}

function onlyPort(slices: readonly Slice[]): string {
  const names = new Set(slices.flatMap(({ ports }) => ports.map((one) => one.name)));
  if (names.size > 1) throw new ValueError(`several ports, ${namesOf(slices)}: write port: NAME`);
  if (names.size === 0 && slices.length > 0) throw new ValueError('no port: write port: NUMBER');
  return [...names][0] ?? '';
}

function namesOf(slices: readonly Slice[]): string {
  const texts = slices.flatMap(({ ports }) =>
    ports.map(({ name, number }) => (name === '' ? `${number}` : `${name} (${number})`)),
  );
  return [...new Set(texts)].slice(0, 10).join(', ') || 'none';
}

/** By `host:port`. */
function mergeEndpoints(
  slices: readonly Slice[],
  portOf: (slice: Slice) => number | null,
): ReadonlyMap<string, Endpoint> {
  const merged = new Map<string, Endpoint>();
  for (const slice of slices) {
    const port = portOf(slice);
    if (port === null) continue;
    for (const endpoint of slice.endpoints) {
      const key = addressText(endpoint.address, port);
      const other = merged.get(key);
      if (other === undefined || isNewer(endpoint, other)) merged.set(key, endpoint);
    }
  }
  return merged;
}

/**
 * Which of two slices is right of an endpoint that moves between them? A pod that has begun to leave never returns; of two
 * pods that have had one address, the one that is ready has it.
 */
function isNewer(one: Endpoint, other: Endpoint): boolean {
  const order: readonly Standing[] =
    one.pod === other.pod ? ['leaving', 'ready', 'out'] : ['ready', 'leaving', 'out'];
  return order.indexOf(one.standing) < order.indexOf(other.standing);
}

function serverOf(address: string, name: string | null): DiscoveredServer {
  return { address, name, weight: null, backup: null, maxConnections: null, host: null, origin: '' };
}

/** Lists may be null or missing. */
function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new ValueError(`expected a list as ${what}`);
}
