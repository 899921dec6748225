import type { Cluster, Redis } from 'ioredis';
import type { SharedConfig } from '../config/types.js';

/** ms between tries to connect: doubled from the first to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 500;
const CONNECT_MS = 1000;

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
  const { Redis, Cluster } = await import('ioredis');
  const client = config.kind === 'cluster' ? openCluster(Cluster, config) : openServer(Redis, config);
  client.on('error', (error: Error) => onError(messageOf(error)));
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
  return new Client({
    ...common,
    name: config.sentinel,
    sentinels: servers.map((url) => ({ host: hostOf(url), port: portOf(url, 26379) })),
    sentinelRetryStrategy: retryDelay,
    // One that accepts connections and says nothing would be waited for without end.
    sentinelCommandTimeout: config.timeout,
    ...(first.protocol === 'rediss:' && {
      enableTLSForSentinelMode: true,
      sentinelTLS: common.tls ?? {},
    }),
  });
}

function openCluster(Client: typeof Cluster, config: SharedConfig): Cluster {
  const servers = config.redis.map((url) => new URL(url));
  const redisOptions = { ...commonOptions(config), ...credentials(config, servers[0] as URL) };
  return new Client(
    servers.map((url) => ({ host: hostOf(url), port: portOf(url, 6379) })),
    {
      redisOptions,
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: CONNECT_MS,
    },
  );
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
  readonly tls?: { readonly ca?: string; readonly servername?: string };
}

function commonOptions({ redis, pem, timeout }: SharedConfig): CommonOptions {
  const { protocol, hostname } = new URL(redis[0] as string);
  const isName = !/^[\d.]+$|^\[/.test(hostname);
  return {
    lazyConnect: true,
    // A command that cannot be sent now is of no use later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryDelay,
    connectTimeout: CONNECT_MS,
    commandTimeout: timeout,
    // Answers have the same shapes in all versions of Redis.
    protocol: 2,
    connectionName: 'lb',
    ...(protocol === 'rediss:' && {
      tls: { ...(pem !== null && { ca: pem }), ...(isName && { servername: hostname }) },
    }),
  };
}

function credentials(
  { user, password }: SharedConfig,
  url: URL,
): { readonly username?: string; readonly password?: string } {
  const name = user ?? decodeURIComponent(url.username);
  const secret = password ?? decodeURIComponent(url.password);
  return { ...(name !== '' && { username: name }), ...(secret !== '' && { password: secret }) };
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
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

function messageOf(error: Error): string {
  // Of a name with several addresses Node collects the errors, and says nothing itself.
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || error.name;
}
