import { isIP, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { AbstractConnector, Cluster, Redis, RedisOptions } from 'ioredis';
import type { SharedConfig } from '../config/types.js';
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
  /** Rejects with the error of Redis, when there is no connection, and when there is no answer in time. */
  call(command: string, args: readonly RedisArgument[]): Promise<unknown>;
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
  const { Redis, Cluster, AbstractConnector } = await import('ioredis');
  const onFailure = (error: Error): void => {
    const message = messageOf(error);
    if (message !== '') onError(message);
  };
  const client =
    config.kind === 'cluster'
      ? openCluster(Cluster, config, clusterConnector(AbstractConnector, tlsOptions(config), onFailure))
      : openServer(Redis, config);
  client.on('error', onFailure);
  // What fails is told by the event, and tried again.
  client.connect().catch(() => {});
  return {
    call: (command, args) => client.call(command, args as RedisArgument[]),
    reconnect: () => reconnect(client),
    close: () => client.disconnect(),
  };
}

/**
 * Ends a connection that is open, so that the client opens another one. While it opens one by itself it is left alone: a client
 * that is interrupted then, for one while it asks sentinels, gives up for good.
 */
function reconnect(client: Redis | Cluster): void {
  const { status } = client;
  if (status === 'connect' || status === 'ready') client.disconnect(true);
  else if (status === 'end') client.connect().catch(() => {});
}

function openServer(Client: typeof Redis, config: SharedConfig): Redis {
  const servers = config.redis.map((url) => new URL(url));
  const [first] = servers as [URL, ...URL[]];
  const common = { ...commonOptions(config), ...credentials(config, first), db: databaseOf(first) };
  if (config.sentinel === null)
    return new Client({ ...common, host: hostOf(first), port: portOf(first, 6379) });
  const own = credentials({ user: null, password: null }, first);
  return new Client({
    ...common,
    name: config.sentinel,
    sentinels: servers.map((url) => ({ host: hostOf(url), port: portOf(url, 26379) })),
    // With a password of the settings for the servers, that of the URL is the sentinels'.
    ...(config.password !== null && {
      ...(own.username !== undefined && { sentinelUsername: own.username }),
      ...(own.password !== undefined && { sentinelPassword: own.password }),
    }),
    sentinelRetryStrategy: retryDelay,
    // One that accepts connections and says nothing would be waited for without end.
    sentinelCommandTimeout: config.timeout,
    ...(common.tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: common.tls }),
  });
}

function openCluster(
  Client: typeof Cluster,
  config: SharedConfig,
  Connector: ReturnType<typeof clusterConnector>,
): Cluster {
  const servers = config.redis.map((url) => new URL(url));
  const redisOptions = { ...commonOptions(config), ...credentials(config, servers[0] as URL), Connector };
  return new Client(
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

/**
 * Returns what opens the connections to the nodes of a cluster. The client itself says only that a connection was closed:
 * here `onError` is told why. Over TLS, a node that is known by a name is asked for by it.
 */
function clusterConnector(
  Base: typeof AbstractConnector,
  tls: TlsOptions | undefined,
  onError: (error: Error) => void,
): NonNullable<RedisOptions['Connector']> {
  return class extends Base {
    readonly #address: { readonly host: string; readonly port: number };

    constructor(options: unknown) {
      super(END_MS);
      const { host = '127.0.0.1', port = 6379 } = options as RedisOptions;
      this.#address = { host, port };
    }

    async connect(): Promise<Socket> {
      const { host, port } = this.#address;
      const stream =
        tls === undefined
          ? netConnect({ host, port })
          : tlsConnect({ host, port, ...tls, ...(isIP(host) === 0 && { servername: host }) });
      stream.once('error', (error) => {
        this.firstError = error;
        onError(error);
      });
      this.stream = stream;
      return stream;
    }
  };
}

/** What both kinds of client are given. */
interface CommonOptions {
  readonly lazyConnect: true;
  readonly enableOfflineQueue: false;
  readonly autoResendUnfulfilledCommands: false;
  readonly maxRetriesPerRequest: number;
  readonly retryStrategy: (times: number) => number;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
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
    commandTimeout: config.timeout,
    // Answers have the same shapes in all versions of Redis.
    protocol: 2,
    connectionName: 'lb',
    // It asks for a right that nothing else needs; a server that still loads refuses commands by itself.
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

/** Why it failed, for people; empty: the connector has said it. */
function messageOf(error: Error): string {
  const { lastNodeError } = error as { lastNodeError?: Error };
  if (lastNodeError !== undefined)
    return /^Connection is closed/.test(lastNodeError.message) ? '' : lastNodeError.message;
  // Of a name with several addresses Node collects the errors, and says nothing itself.
  const { message, code } = error as NodeJS.ErrnoException;
  return message.trim() || code || error.name;
}
