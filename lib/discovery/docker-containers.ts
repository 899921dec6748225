import { isRecord } from '../base/json.js';

export type ContainerHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** An address of a container. */
export interface ContainerNetwork {
  readonly name: string;
  /** IPv4, or IPv6 where there is no other; empty when the container is not running. */
  readonly address: string;
}

/** A container as the engine lists it, with what of it matters here. */
export interface Container {
  readonly id: string;
  /** `shop_web_1`, without the slash in front. */
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  /** `running`, `exited`, `paused`, … */
  readonly state: string;
  readonly health: ContainerHealth;
  /** The TCP ports that it exposes, published or not, each once, in order. */
  readonly ports: readonly number[];
  /** By name. */
  readonly networks: readonly ContainerNetwork[];
  /** `host`, `none`, `container:ID` or the name of a network. */
  readonly networkMode: string;
}

/** Reads the answer to `/containers/json`: the oldest container first. Throws an Error that says what is wrong. */
export function parseContainers(body: Buffer): Container[] {
  let list: unknown;
  try {
    list = JSON.parse(body.toString());
  } catch {
    throw new Error('the list of containers is no JSON');
  }
  if (!Array.isArray(list)) throw new Error('the list of containers is no list');
  const read = list.map((entry: unknown, at) => {
    if (!isRecord(entry) || typeof entry.Id !== 'string' || entry.Id === '')
      throw new Error(`container ${at + 1} of the list has no Id`);
    return {
      created: typeof entry.Created === 'number' ? entry.Created : 0,
      container: parse(entry.Id, entry),
    };
  });
  read.sort((a, b) => a.created - b.created || (a.container.id < b.container.id ? -1 : 1));
  return read.map(({ container }) => container);
}

type Entry = { readonly [key: string]: unknown };

function parse(id: string, entry: Entry): Container {
  const hostConfig = isRecord(entry.HostConfig) ? entry.HostConfig : {};
  const settings = isRecord(entry.NetworkSettings) ? entry.NetworkSettings : {};
  return {
    id,
    name: nameOf(id, entry.Names),
    labels: labelsOf(entry.Labels),
    state: textOf(entry.State),
    health: healthOf(entry),
    ports: portsOf(entry.Ports),
    networks: networksOf(settings.Networks),
    networkMode: textOf(hostConfig.NetworkMode),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Links of other containers are names too: `/web/db`. */
function nameOf(id: string, names: unknown): string {
  const texts = Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  const own = texts.find((name) => name.lastIndexOf('/') <= 0) ?? '';
  const name = own.replace(/^\//, '');
  return name === '' ? id.slice(0, 12) : name;
}

function labelsOf(labels: unknown): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  if (isRecord(labels))
    for (const [name, value] of Object.entries(labels)) if (typeof value === 'string') map.set(name, value);
  return map;
}

/** Newer engines say it as such; all of them at the end of the text: `Up 5 minutes (healthy)`. */
function healthOf({ Status: status, Health: health }: Entry): ContainerHealth {
  const told = isRecord(health) ? textOf(health.Status) : '';
  const [, text = told] = /\((healthy|unhealthy|health: starting)\)\s*$/.exec(textOf(status)) ?? [];
  if (text === 'healthy' || text === 'unhealthy') return text;
  return text === 'starting' || text === 'health: starting' ? 'starting' : 'none';
}

function portsOf(ports: unknown): readonly number[] {
  const numbers = new Set<number>();
  for (const port of Array.isArray(ports) ? ports : [])
    if (isRecord(port) && port.Type === 'tcp' && typeof port.PrivatePort === 'number')
      numbers.add(port.PrivatePort);
  return [...numbers].sort((a, b) => a - b);
}

function networksOf(networks: unknown): readonly ContainerNetwork[] {
  if (!isRecord(networks)) return [];
  const list = Object.entries(networks).map(([name, network]) => {
    const { IPAddress: v4, GlobalIPv6Address: v6 } = isRecord(network) ? network : {};
    return { name, address: textOf(v4) || textOf(v6) };
  });
  return list.sort((a, b) => (a.name < b.name ? -1 : 1));
}
