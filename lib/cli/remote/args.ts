import { parseAddress } from '../../base/address.js';
import { parseServerAddress } from '../../base/server-address.js';
import { parseDuration, ValueError } from '../../base/units.js';
import { parseNetwork } from '../../config/network.js';
import { MAX_WEIGHT } from '../../control/server-entry.js';
import { REQUEST_FILTERS, RequestFilter, type RequestFilterName } from '../../observe/request-filter.js';
import { type OptionName, type RemoteName, spoken, UsageError } from '../options.js';
import { type Action, type RemoteOptions, type RequestQuery, readAdminOption } from './options.js';
import type { NewServerView } from './view.js';

type Values = ReadonlyMap<OptionName, string>;

/** The arguments of a command, for the error message when they are wrong. */
const OPERANDS: { readonly [name in RemoteName]: readonly string[] } = {
  status: [],
  servers: [],
  drain: ['NAME'],
  ready: ['NAME'],
  maintenance: ['NAME'],
  weight: ['NAME', 'N'],
  add: ['HOST:PORT'],
  remove: ['NAME'],
  tail: [],
  bans: [],
  unban: ['ADDR'],
  reload: [],
  upgrade: [],
  top: [],
};

/** Parses the arguments of a command for a running balancer. Throws a UsageError. */
export function remoteOptions(name: RemoteName, operands: readonly string[], values: Values): RemoteOptions {
  const wanted = name === 'maintenance' && values.has('host') ? [] : OPERANDS[name];
  const usage = [spoken(name), ...wanted].join(' ');
  if (operands.length < wanted.length) throw new UsageError(`an argument is missing: ${usage}.`);
  const [unexpected] = operands.slice(wanted.length);
  if (unexpected !== undefined)
    throw new UsageError(`${JSON.stringify(unexpected)} is one too many: ${usage}.`);
  if (values.has('watch') && values.has('json'))
    throw new UsageError('--watch and --json contradict each other.');
  return {
    admin: values.get('admin') ?? null,
    configFile: values.get('config') ?? null,
    json: values.has('json'),
    action: readAction(name, operands, values),
  };
}

function readAction(name: RemoteName, [first = '', second = '']: readonly string[], values: Values): Action {
  const { admin } = Object.fromEntries(values);
  if (admin !== undefined)
    readValue('--admin', () => parseAddress(readAdminOption(admin).address, { defaultHost: '127.0.0.1' }));
  switch (name) {
    case 'status':
    case 'servers':
      return { kind: name, watch: values.has('watch') };
    case 'drain':
      return { kind: name, server: first, wait: values.has('wait') };
    case 'weight':
      return { kind: name, server: first, weight: readWeight(second) };
    case 'add':
      return { kind: name, server: newServer(first, values) };
    case 'tail':
      return { kind: name, filter: readFilter(values) };
    case 'maintenance':
      return readMaintenance(first, values);
    case 'ready':
    case 'remove':
      return { kind: name, server: first };
    case 'unban':
      return { kind: name, client: first };
    case 'upgrade':
      return { kind: name, timeoutMs: readTimeout(values.get('timeout')) };
    case 'bans': {
      const [client = null, rule = null] = [values.get('client'), values.get('rule')];
      if (client !== null) readValue('--client', () => parseNetwork(client));
      return { kind: name, client, rule };
    }
    case 'reload':
    case 'top':
      return { kind: name };
  }
}

function readFilter(values: Values): RequestQuery {
  const filter: { [name in RequestFilterName]?: string } = {};
  for (const name of REQUEST_FILTERS) {
    const option = name === 'min_duration' ? 'min-duration' : name;
    const value = values.get(option);
    if (value === undefined) continue;
    readValue(`--${option}`, () => new RequestFilter({ [name]: value }));
    filter[name] = value;
  }
  return filter;
}

/** Of a server, or of a host. */
function readMaintenance(server: string, values: Values): Action {
  const host = values.get('host');
  const [time, allow] = [values.get('for'), values.get('allow')];
  const isOff = values.has('off');
  if (host === undefined) {
    for (const option of ['for', 'allow', 'off'] as const)
      if (values.has(option))
        throw new UsageError(`--${option} is about a host: lb maintenance --host HOST --${option}.`);
    return { kind: 'maintenance', server };
  }
  if (isOff && (time !== undefined || allow !== undefined))
    throw new UsageError('--off ends the maintenance: it cannot be used with --for or --allow.');
  if (isOff) return { kind: 'open_host', host };
  const allowed = (allow ?? '').split(',').filter((one) => one !== '');
  for (const one of allowed) readValue('--allow', () => parseNetwork(one));
  const forMs = time === undefined ? null : readValue('--for', () => parseDuration(time));
  if (forMs === 0) throw new UsageError('--for must be more than 0, such as 30m.');
  return { kind: 'close_host', host, forMs, allow: allowed };
}

function newServer(address: string, values: Values): NewServerView {
  readValue(`server ${JSON.stringify(address)}`, () => parseServerAddress(address));
  const [route, name, weight] = (['route', 'name', 'weight'] as const).map((option) => values.get(option));
  return {
    address,
    ...(route !== undefined && { route }),
    ...(name !== undefined && { name }),
    ...(weight !== undefined && { weight: readWeight(weight) }),
    ...(values.has('backup') && { backup: true }),
  };
}

/** The longest that the API takes. */
const MOST_TIMEOUT = 600_000;

function readTimeout(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = readValue('--timeout', () => parseDuration(text));
  if (ms > 0 && ms <= MOST_TIMEOUT) return ms;
  throw new UsageError('--timeout must be more than 0 and at most 10m.');
}

function readWeight(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= MAX_WEIGHT) return Number(text);
  throw new UsageError(
    `${JSON.stringify(text)} is not a weight: a weight is a whole number from 0 to ${MAX_WEIGHT}.`,
  );
}

function readValue<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError(`${what}: ${error.message}. ${error.hint}`.trim());
  }
}
