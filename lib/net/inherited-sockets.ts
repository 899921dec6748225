import { lookup } from 'node:dns/promises';
import { closeSync, openSync, readlinkSync, readSync, realpathSync } from 'node:fs';
import { isIP } from 'node:net';
import { endianness } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Address } from '../base/address.js';
import { parseIpAddress } from '../base/ip-address.js';

/** The first descriptor that systemd hands to a service: sd_listen_fds(3). */
const FIRST_DESCRIPTOR = 3;
/** More are no sockets of a load balancer. */
const MOST = 1024;

/** Where a socket is bound. */
export type BoundTo =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** A listening socket that this process got from the one that started it. */
export interface InheritedSocket {
  readonly descriptor: number;
  /** For messages: FileDescriptorName= of a socket unit. */
  readonly name: string;
  /** null: it is not a listening TCP or Unix socket, or the system does not say what it is. */
  readonly boundTo: BoundTo | null;
  /** The configured address, if the socket comes from an lb; null: from a service manager. */
  readonly wanted: string | null;
  /** Does the socket file, if there is one, end with this process? */
  readonly ownsFile: boolean;
  /** Does a service manager hold it too? Connections then wait while no process accepts them. */
  readonly isHeld: boolean;
}

/**
 * The sockets that this process was started with: each goes to the first listener that asks for its address. Several of
 * one address (`reusePort`) go to several listeners, in the order of their descriptors; no descriptor is given twice.
 */
export class InheritedSockets {
  readonly #left: InheritedSocket[];

  constructor(sockets: readonly InheritedSocket[]) {
    this.#left = [...sockets];
  }

  /** Is one left that fits? Names of hosts are not resolved. */
  has(address: Address): boolean {
    return this.#find(address, hostsOf(address)) !== -1;
  }

  /** How many are left that fit. Names of hosts are not resolved. */
  count(address: Address): number {
    const hosts = hostsOf(address);
    return this.#left.filter(
      ({ wanted, boundTo }) => wanted === address.text || isAt(boundTo, address, hosts),
    ).length;
  }

  /** Gives these too. */
  add(sockets: readonly InheritedSocket[]): void {
    for (const socket of sockets) this.#left.push(socket);
  }

  /** The next socket of this address, which the caller owns from then on; null without one. */
  async take(address: Address): Promise<InheritedSocket | null> {
    if (this.#left.length === 0) return null;
    let index = this.#find(address, hostsOf(address));
    if (index === -1) index = this.#find(address, await resolvedHosts(address));
    return index === -1 ? null : (this.#left.splice(index, 1)[0] ?? null);
  }

  /** A socket that has not been taken, on this port of any interface. */
  onPort(port: number): InheritedSocket | null {
    return this.#left.find(({ boundTo }) => boundTo?.kind === 'tcp' && boundTo.port === port) ?? null;
  }

  /** Closes the sockets that have not been taken, and returns them. */
  closeRest(): readonly InheritedSocket[] {
    const rest = this.#left.splice(0);
    for (const socket of rest) discard(socket);
    return rest;
  }

  #find(address: Address, hosts: readonly string[]): number {
    const asked = this.#left.findIndex(({ wanted }) => wanted === address.text);
    return asked !== -1 ? asked : this.#left.findIndex(({ boundTo }) => isAt(boundTo, address, hosts));
  }
}

/** Closes a socket without an owner. */
export function discard({ descriptor }: InheritedSocket): void {
  try {
    closeSync(descriptor);
  } catch {
    // The process that started this one has promised more descriptors than it passed.
  }
}

/**
 * The sockets of the service manager, by the protocol of sd_listen_fds(3): LISTEN_PID is this process, LISTEN_FDS how many
 * there are, LISTEN_FDNAMES their names. Removes the variables, which are for no process that this one starts.
 */
export function socketsOfServiceManager(env: NodeJS.ProcessEnv, pid: number): readonly InheritedSocket[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (forPid !== String(pid) || !/^\d{1,4}$/.test(count)) return [];
  const length = Math.min(Number(count), MOST);
  const descriptors = Array.from({ length }, (_, index) => FIRST_DESCRIPTOR + index);
  const bound = boundAddresses(descriptors);
  const named = names.split(':');
  return descriptors.map((descriptor, index) => ({
    descriptor,
    name: named[index] ?? '',
    boundTo: bound.get(descriptor) ?? null,
    wanted: null,
    ownsFile: false,
    isHeld: true,
  }));
}

/** Sockets of another lb, which this process was started by to take over. `wanted`: the configured address. */
export function socketsOfOldProgram(
  sockets: readonly Pick<InheritedSocket, 'descriptor' | 'wanted' | 'ownsFile' | 'isHeld'>[],
): readonly InheritedSocket[] {
  // A new settings file may spell the address differently.
  const bound = boundAddresses(sockets.map(({ descriptor }) => descriptor));
  return sockets.map(({ descriptor, wanted, ownsFile, isHeld }) => {
    const boundTo = bound.get(descriptor) ?? null;
    return { descriptor, name: '', boundTo, wanted, ownsFile, isHeld };
  });
}

/** The socket for people: `127.0.0.1:8080`, or its number if the address is not known. */
export function describeInherited({ descriptor, name, boundTo, wanted }: InheritedSocket): string {
  if (wanted !== null) return wanted;
  const label = name === '' || name === 'unknown' ? '' : ` (${name})`;
  if (boundTo === null) return `descriptor ${descriptor}${label}`;
  if (boundTo.kind === 'unix') return `unix:${boundTo.path}${label}`;
  const { host, port } = boundTo;
  return `${host.includes(':') ? `[${host}]` : host}:${port}${label}`;
}

function isAt(boundTo: BoundTo | null, address: Address, hosts: readonly string[]): boolean {
  if (boundTo === null) return false;
  if (boundTo.kind === 'unix' || address.kind === 'unix')
    return boundTo.kind === 'unix' && address.kind === 'unix' && isSamePath(boundTo.path, address.path);
  return boundTo.port === address.port && hosts.includes(boundTo.host);
}

function isSamePath(one: string, other: string): boolean {
  return one === other || realPath(one) === realPath(other);
}

/** /var/run is a link to /run. */
function realPath(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

/** The addresses that fit without asking for any name. */
function hostsOf(address: Address): readonly string[] {
  if (address.kind === 'unix') return [];
  // Every interface: on a machine without IPv6 that is 0.0.0.0.
  if (address.host === '') return ['::', '0.0.0.0'];
  return isIP(address.host) === 0 ? [] : [compressed(address.host)];
}

async function resolvedHosts(address: Address): Promise<readonly string[]> {
  if (address.kind === 'unix' || address.host === '' || isIP(address.host) !== 0) return [];
  const found = await lookup(address.host, { all: true }).catch(() => []);
  return found.map(({ address: host }) => compressed(host));
}

/** The one spelling of an IPv6 address that RFC 5952 asks for. */
function compressed(host: string): string {
  return parseIpAddress(host)?.text ?? host;
}

/**
 * Where descriptors of this process are bound. Node tells the address of a socket only to its owner, so the tables of the
 * kernel are read (proc(5), Linux): a descriptor must be owned by the thread whose listener it belongs to.
 */
function boundAddresses(descriptors: readonly number[]): ReadonlyMap<number, BoundTo> {
  const inodes = new Map<string, number>();
  for (const descriptor of descriptors) {
    const inode = inodeOf(descriptor);
    if (inode !== null) inodes.set(inode, descriptor);
  }
  const found = new Map<number, BoundTo>();
  const tables = [
    ['tcp', tcpEntry],
    ['tcp6', tcpEntry],
    ['unix', unixEntry],
  ] as const;
  for (const [table, entryOf] of tables) {
    if (inodes.size === 0) break;
    for (const line of linesOf(`/proc/self/net/${table}`)) {
      const entry = entryOf(line);
      const descriptor = entry === null ? undefined : inodes.get(entry.inode);
      if (entry === null || descriptor === undefined) continue;
      found.set(descriptor, entry.boundTo);
      inodes.delete(entry.inode);
      // Listening sockets come first: what follows may be a hundred thousand connections.
      if (inodes.size === 0) break;
    }
  }
  return found;
}

function inodeOf(descriptor: number): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? null;
  } catch {
    return null;
  }
}

interface Entry {
  readonly inode: string;
  readonly boundTo: BoundTo;
}

/** `sl local_address rem_address st … inode`, where st 0A is a socket that listens. */
function tcpEntry(line: string): Entry | null {
  const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
  const [host = '', port = ''] = local.split(':');
  if (state !== '0A') return null;
  return { inode, boundTo: { kind: 'tcp', host: hostOfHex(host), port: Number.parseInt(port, 16) } };
}

/** Words of 32 bits, each in the order of the machine. */
function hostOfHex(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return compressed(groups.join(':'));
}

/** `Num: RefCount Protocol Flags Type St Inode Path`, where the flag 00010000 is a socket that listens. */
function unixEntry(line: string): Entry | null {
  const [, flags = '', inode = '', path = ''] =
    /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+)(?: (.*))?$/.exec(line) ?? [];
  if ((Number.parseInt(flags, 16) & 0x10000) === 0 || path === '') return null;
  return { inode, boundTo: { kind: 'unix', path: Buffer.from(path, 'latin1').toString() } };
}

/** Without the first one, which has the names of the columns. Reads no more than what is used. */
function* linesOf(path: string): Generator<string> {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return;
  }
  try {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    let text = '';
    let isFirst = true;
    for (;;) {
      const length = readSync(descriptor, buffer);
      const lines = (text + buffer.toString('latin1', 0, length)).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (!isFirst) yield line;
        isFirst = false;
      }
      if (length === 0) return;
    }
  } finally {
    closeSync(descriptor);
  }
}
