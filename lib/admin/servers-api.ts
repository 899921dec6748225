import { suggest } from '../base/nearest.js';
import type { Availability } from '../base/observer.js';
import { parseServerAddress } from '../base/server-address.js';
import { inSlices } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import type { ServerTlsSetting } from '../config/settings.js';
import type { NewServer } from '../control/status/operations.js';
import type { ServerStatus } from '../control/status/status.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import { type Answer, type Call, json, jsonInSlices, readObject } from './call.js';
import { snakeCase } from './config-view.js';

/**
 * Who adds a server wants to know whether it works: the answer waits this long for its first check. Half a second more than
 * the default timeout of a check.
 */
const FIRST_CHECK_MS = 2500;

/** The servers: their state, and changes to it. */
export class ServersApi {
  readonly #subject: AdminTarget;

  constructor(subject: AdminTarget) {
    this.#subject = subject;
  }

  async list(): Promise<Answer> {
    await this.#subject.collectFigures();
    const { servers } = await inSlices(this.#subject.statusSteps());
    return jsonInSlices({ servers });
  }

  async one({ name }: Call): Promise<Answer> {
    await this.#subject.collectFigures();
    return json(snakeCase(this.#find(name)));
  }

  async add({ request }: Call): Promise<Answer> {
    const body = await readObject(request);
    refuseOthers(body, ['route', 'address', 'name', 'weight', 'backup', 'max_connections', 'tls']);
    const address = text(body, 'address');
    if (address === undefined) throw bad('address', 'is missing', 'Give host:port, or https://host:port.');
    const named = nameOf(address);
    const server: NewServer = { address, ...optional(body) };
    this.#subject.addServer(text(body, 'route') ?? 'default', server);
    await this.#subject.settled();
    const name = server.name ?? named;
    await this.#subject.firstCheck(name, FIRST_CHECK_MS);
    const added = this.#find(name);
    return json(snakeCase(added), 201, { location: `/api/servers/${encodeURIComponent(added.name)}` });
  }

  async change({ request, name: asked }: Call): Promise<Answer> {
    const body = await readObject(request);
    refuseOthers(body, ['state', 'weight']);
    const state = readState(body);
    const weight = whole(body, 'weight', 256);
    if (state === undefined && weight === undefined)
      throw new ApiError(400, 'bad_request', 'there is nothing to change', { hint: 'Give state or weight.' });
    const { name } = this.#find(asked);
    if (weight !== undefined) this.#subject.setWeight(name, weight);
    if (state !== undefined) {
      this.#subject.setAvailability(name, state);
      this.#subject.views.noteChange(name, callerOf(request));
    }
    await this.#subject.settled();
    return json(snakeCase(this.#find(name)));
  }

  async remove({ name: asked }: Call): Promise<Answer> {
    const { name } = this.#find(asked);
    this.#subject.removeServer(name);
    await this.#subject.settled();
    return { status: 204, type: '', body: '' };
  }

  #find(name: string): ServerStatus {
    const found = this.#subject.serverStatus(name);
    if (found !== undefined) return found;
    throw new ApiError(404, 'unknown_server', `there is no server called ${JSON.stringify(name)}`, {
      hint: suggest(name, this.#subject.serverNames, '/api/servers lists them.'),
    });
  }
}

/** The longest name of a program that is kept. */
const LONGEST_AGENT = 30;

/** Who calls, as far as it can be told: `192.0.2.1 (status page)`. */
function callerOf({ socket, headers }: Call['request']): string {
  const { 'user-agent': agent = '' } = headers;
  const [product = ''] = agent.split(/[/ ]/);
  const program = product === 'Mozilla' ? 'status page' : product.slice(0, LONGEST_AGENT);
  // A Unix socket has no address.
  const address = (socket.remoteAddress ?? 'this machine').replace(/^::ffff:/, '');
  return program === '' ? address : `${address} (${program})`;
}

/** The name of a server that is given by its address only. */
function nameOf(address: string): string {
  try {
    return parseServerAddress(address).address.text;
  } catch (error) {
    if (error instanceof ValueError) throw bad('address', error.message, error.hint);
    throw error;
  }
}

type Body = Readonly<Record<string, unknown>>;

const STATES: { readonly [state: string]: Availability } = {
  ready: 'ready',
  drain: 'draining',
  maintenance: 'maintenance',
};

function readState(body: Body): Availability | undefined {
  const state = text(body, 'state');
  if (state === undefined) return undefined;
  const known = Object.hasOwn(STATES, state) ? STATES[state] : undefined;
  if (known === undefined)
    throw bad('state', `cannot be ${JSON.stringify(state)}`, 'It is ready, drain or maintenance.');
  return known;
}

function optional(body: Body): Omit<NewServer, 'address'> {
  const name = text(body, 'name');
  const weight = whole(body, 'weight', 256);
  const connections = whole(body, 'max_connections', 100_000);
  const { backup } = body;
  if (backup !== undefined && typeof backup !== 'boolean') throw bad('backup', 'is true or false');
  // Read as in the file when the server is added.
  const tls = body.tls as ServerTlsSetting | undefined;
  return {
    ...(name === undefined ? {} : { name }),
    ...(weight === undefined ? {} : { weight }),
    ...(backup === undefined ? {} : { backup }),
    ...(connections === undefined ? {} : { max_connections: connections }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function text(body: Body, key: string): string | undefined {
  const value = body[key];
  if (value === undefined || typeof value === 'string') return value;
  throw bad(key, 'is a text');
}

function whole(body: Body, key: string, most: number): number | undefined {
  const value = body[key];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw bad(key, `is a whole number from 0 to ${most}`);
}

function refuseOthers(body: Body, known: readonly string[]): void {
  for (const key of Object.keys(body)) {
    if (known.includes(key)) continue;
    throw bad(key, 'is unknown', suggest(key, known, `Known: ${known.join(', ')}.`));
  }
}

function bad(key: string, message: string, hint = ''): ApiError {
  return new ApiError(400, 'bad_value', `${key} ${message}`, { hint });
}
