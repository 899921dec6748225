import { setTimeout as wait } from 'node:timers/promises';
import type { AbstractConnector, Cluster, Redis, RedisOptions } from 'ioredis';
import { settleStringMethods } from '../base/string-methods.js';
import type { SharedConfig } from '../config/types.js';
import { explainFailure, explainSilence, type FailurePlace } from './redis-failure.js';
import { openStream, type RedisAddress, type RedisStream } from './redis-stream.js';
import { type SentinelAnswer, SentinelGroup } from './sentinel-group.js';
import { hostOf, type TlsOptions, tlsOptions } from './tls-options.js';

/** ms between tries to connect: doubled from the first to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 500;
const CONNECT_MS = 1000;
/** After the end of a connection was asked for, ms until it is cut. */
const END_MS = 2000;

export type RedisArgument = string | number;

/** What is asked of Redis or Valkey. Nothing waits in line: without a connection a command fails at once. */
export interface RedisClient {
  /** Rejects with the error of Redis, and when there is no connection. How long to wait is up to the caller. */
  call(command: string, args: readonly RedisArgument[]): Promise<unknown>;
  /** The message of an error of `call`, in words that name what has to be mended. */
  explain(message: string): string;
  /** Gives up the connection, as nobody has answered on it for long, and opens another one. */
  reconnect(): void;
  close(): void;
}

/**
 * Opens a connection that comes back by itself. `onError`: why it cannot be opened, for people. The client is loaded here,
 * and only when it is needed.
 */
export async function openRedis(
  config: SharedConfig,
  onError: (message: string) => void,
): Promise<RedisClient> {
  const library = await import('ioredis');
  // It has a class that extends String.
  settleStringMethods();
  const failures = new Failures(config, onError);
  const client =
    config.kind === 'cluster'
      ? openCluster(library, config, failures)
      : openServer(library, config, failures);
  client.on('error', (error: Error) => failures.noteClient(error));
  // A failure is reported by the event, and tried again.
  client.connect().catch(() => {});
  return {
    call: (command, args) => client.call(command, args as RedisArgument[]),
    explain: (message) => failures.explain(new Error(message)),
    reconnect: () => reconnect(client),
    close: () => client.disconnect(),
  };
}

/** What is used of the client. */
type Library = Pick<typeof import('ioredis'), 'Redis' | 'Cluster' | 'AbstractConnector'>;

/** Says why connections cannot be opened, or used. */
class Failures {
  readonly #config: SharedConfig;
  readonly #onError: (message: string) => void;
  /** Errors that streams have reported: the client reports them again, with less detail. */
  readonly #reported = new WeakSet<Error>();
  /** Where it was last connected to. */
  #address = '';

  constructor(config: SharedConfig, onError: (message: string) => void) {
    this.#config = config;
    this.#onError = onError;
  }

  /** Opens a stream for the client, and reports its failures. */
  open(address: RedisAddress, tls: TlsOptions | undefined): RedisStream {
    const place: FailurePlace = { address: textOf(address), role: 'server' };
    // Each node of a cluster is another one.
    this.#address = this.#config.kind === 'cluster' ? '' : place.address;
    return openStream(address, tls, (error, isSilent) => {
      this.#reported.add(error);
      this.#onError(
        isSilent ? explainSilence(place, tls !== undefined) : explainFailure(error, place, this.#config),
      );
    });
  }

  explain(error: Error): string {
    return explainFailure(error, { address: this.#address, role: 'server' }, this.#config);
  }

  note(message: string): void {
    this.#onError(message);
  }

  /** An error that the client reports. */
  noteClient(error: Error): void {
    const { lastNodeError } = error as { lastNodeError?: Error };
    const cause = lastNodeError ?? error;
    // Its stream has reported the reason.
    if (this.#reported.has(cause) || isEnd(cause)) return;
    this.#onError(this.explain(cause));
  }
}

/** Does the client say only that a connection has ended? */
function isEnd({ message }: Error): boolean {
  return /^Connection is closed|max retries per request/.test(message);
}

/**
 * Ends a connection that is open, so that the client opens another one. Does nothing while the client opens one already: if
 * it is interrupted then, such as while it asks sentinels, it never tries again.
 */
function reconnect(client: Redis | Cluster): void {
  const { status } = client;
  if (status === 'connect' || status === 'ready') client.disconnect(true);
  else if (status === 'end') client.connect().catch(() => {});
}

function openServer(library: Library, config: SharedConfig, failures: Failures): Redis {
  const servers = config.redis.map((url) => new URL(url));
  const [first] = servers as [URL, ...URL[]];
  const common = { ...commonOptions(config), ...credentials(config, first), db: databaseOf(first) };
  const address = { host: hostOf(first), port: portOf(first, 6379) };
  const find =
    config.sentinel === null
      ? async () => address
      : throughSentinels(sentinelGroup(library, config, config.sentinel, servers), failures);
  const Connector = connectorOf(library.AbstractConnector, find, (found) => failures.open(found, common.tls));
  return new library.Redis({ ...common, Connector });
}

/** Finds where to connect to. Rejects when it is no longer wanted. */
type Find = (isWanted: () => boolean, options: RedisOptions) => Promise<RedisAddress>;

/** Asks sentinels until one of them knows the primary. */
function throughSentinels(group: SentinelGroup, failures: Failures): Find {
  return async (isWanted) => {
    for (let times = 1; ; times++) {
      try {
        return await group.primary(isWanted);
      } catch (error) {
        if (isWanted()) failures.note((error as Error).message);
      }
      if (isWanted()) await wait(retryDelay(times), undefined, { ref: false });
      if (!isWanted()) throw new Error('Connection is closed.');
    }
  };
}

function sentinelGroup(
  library: Library,
  config: SharedConfig,
  name: string,
  urls: readonly URL[],
): SentinelGroup {
  const [first] = urls as [URL, ...URL[]];
  const tls = tlsOptions(config);
  // With a password of the settings for the servers, that of the URL is the sentinels'.
  const own = config.password === null ? {} : credentials({ user: null, password: null }, first);
  const sentinels = urls.map((url) => ({ host: hostOf(url), port: portOf(url, 26379) }));
  return new SentinelGroup(name, sentinels, async (address) => {
    const place: FailurePlace = { address: textOf(address), role: 'sentinel' };
    let reason = '';
    const find = async (): Promise<RedisAddress> => address;
    const open = (): RedisStream =>
      openStream(address, tls, (error, isSilent) => {
        reason = isSilent ? explainSilence(place, tls !== undefined) : explainFailure(error, place, config);
      });
    const client = new library.Redis({
      ...commonOptions(config),
      ...own,
      Connector: connectorOf(library.AbstractConnector, find, open),
      // The next one is asked.
      retryStrategy: () => null,
      // One that accepts connections and says nothing would be waited for without end.
      commandTimeout: config.timeout,
    });
    client.on('error', (error: Error) => {
      if (reason === '' && !isEnd(error)) reason = explainFailure(error, place, config);
    });
    try {
      await client.connect();
      return await askSentinel(client, name);
    } catch (error) {
      throw new Error(reason || explainFailure(error as Error, place, config));
    } finally {
      client.disconnect();
    }
  });
}

async function askSentinel(client: Redis, name: string): Promise<SentinelAnswer> {
  const found = (await client.call('SENTINEL', ['get-master-addr-by-name', name])) as
    | readonly string[]
    | null;
  if (found === null) {
    const groups = (await client.call('SENTINEL', ['masters'])) as readonly (readonly string[])[];
    return { primary: null, others: [], groups: groups.map((fields) => fieldOf(fields, 'name')) };
  }
  const told = (await client.call('SENTINEL', ['sentinels', name])) as readonly (readonly string[])[];
  const others = told
    .filter((fields) => !fieldOf(fields, 'flags').includes('disconnected'))
    .map((fields) => ({ host: fieldOf(fields, 'ip'), port: Number(fieldOf(fields, 'port')) }));
  const [host = '', port] = found;
  return { primary: { host, port: Number(port) }, others, groups: [] };
}

/** Names and values alternate. */
function fieldOf(fields: readonly string[], name: string): string {
  const index = fields.indexOf(name);
  return index === -1 ? '' : (fields[index + 1] ?? '');
}

function openCluster(library: Library, config: SharedConfig, failures: Failures): Cluster {
  const servers = config.redis.map((url) => new URL(url));
  const tls = tlsOptions(config);
  // The options of a connection have the address of its node.
  const find: Find = async (_, { host = '127.0.0.1', port = 6379 }) => ({ host, port });
  const Connector = connectorOf(library.AbstractConnector, find, (address) => failures.open(address, tls));
  const redisOptions = { ...commonOptions(config), ...credentials(config, servers[0] as URL), Connector };
  return new library.Cluster(
    servers.map((url) => ({ host: hostOf(url), port: portOf(url, 6379) })),
    {
      redisOptions,
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: CONNECT_MS,
      // A certificate is of a name, which would be lost if the client looked it up.
      dnsLookup: (host, found) => found(null, host),
    },
  );
}

/** Returns what opens the connections of a client. */
function connectorOf(
  Base: typeof AbstractConnector,
  find: Find,
  open: (address: RedisAddress) => RedisStream,
): NonNullable<RedisOptions['Connector']> {
  return class extends Base {
    readonly #options: RedisOptions;

    constructor(options: unknown) {
      super(END_MS);
      this.#options = options as RedisOptions;
    }

    async connect(): Promise<RedisStream> {
      this.connecting = true;
      const address = await find(() => this.connecting, this.#options);
      if (!this.connecting) throw new Error('Connection is closed.');
      const stream = open(address);
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };
}

/** The options of both kinds of client. */
interface CommonOptions {
  readonly lazyConnect: true;
  readonly enableOfflineQueue: false;
  readonly autoResendUnfulfilledCommands: false;
  readonly maxRetriesPerRequest: number;
  readonly retryStrategy: (times: number) => number;
  readonly connectTimeout: number;
  readonly protocol: 2;
  readonly connectionName: string;
  readonly enableReadyCheck: false;
  readonly reconnectOnError: (error: Error) => boolean;
  readonly tls?: TlsOptions;
}

function commonOptions(config: SharedConfig): CommonOptions {
  const tls = tlsOptions(config);
  return {
    lazyConnect: true,
    // A command that cannot be sent now is of no use later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryDelay,
    connectTimeout: CONNECT_MS,
    // Answers have the same shapes in all versions of Redis.
    protocol: 2,
    connectionName: 'lb',
    // The check needs the right to INFO, which nothing else does; a server that still loads its data refuses commands anyway.
    enableReadyCheck: false,
    // It has become a replica: the primary is elsewhere now, where the name or the sentinels say.
    reconnectOnError: ({ message }) => /^(READONLY|MASTERDOWN)/.test(message),
    ...(tls !== undefined && { tls }),
  };
}

function credentials(
  { user, password }: Pick<SharedConfig, 'user' | 'password'>,
  url: URL,
): { readonly username?: string; readonly password?: string } {
  const name = user ?? decodeURIComponent(url.username);
  const secret = password ?? decodeURIComponent(url.password);
  return { ...(name !== '' && { username: name }), ...(secret !== '' && { password: secret }) };
}

function portOf({ port }: URL, usual: number): number {
  return port === '' ? usual : Number(port);
}

function databaseOf({ pathname }: URL): number {
  return Number(pathname.slice(1) || 0);
}

function retryDelay(times: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10), LAST_RETRY_MS);
}

function textOf({ host, port }: RedisAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
