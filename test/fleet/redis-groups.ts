import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../support/free-port.js';
import { until } from './nodes.js';
import { killed, type RedisCertificate, RedisServer, started } from './redis-server.js';

/** A primary with a replica, and a sentinel that makes the replica the primary when that has been gone for half a second. */
export interface SentinelGroup {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Of the sentinel. */
  readonly port: number;
}

/**
 * The group is called `main`. Its servers ask for `password`, its sentinel for `sentinelPassword`; with `files` all of them
 * speak TLS only, with each other too.
 */
export async function startSentinelGroup(
  t: Test,
  password: string,
  sentinelPassword: string,
  files?: RedisCertificate,
): Promise<SentinelGroup> {
  const common = ['--requirepass', password, '--masterauth', password, '--repl-diskless-sync-delay', '0'];
  if (files !== undefined) common.push('--tls-replication', 'yes');
  const start = (...terms: string[]): Promise<RedisServer> =>
    files === undefined ? RedisServer.start(t, ...terms) : RedisServer.startTls(t, files, ...terms);
  const primary = await start(...common);
  const replica = await start(...common, '--replicaof', `127.0.0.1 ${primary.port}`);
  await until('the replica follows', () =>
    /connected_slaves:1[\s\S]*state=online/.test(primary.command('-a', password, 'INFO', 'replication')),
  );
  const port = await startSentinel(
    t,
    primary,
    { password, sentinelPassword, ...(files && { files }) },
    '+slave',
  );
  return { primary, replica, port };
}

/** What a sentinel asks for, and is asked for; with `files` it speaks TLS only, with the servers too. */
export interface SentinelTerms {
  readonly password: string;
  readonly sentinelPassword: string;
  readonly files?: RedisCertificate;
}

/** Starts a sentinel of the group `main`, and returns its port when it has logged a line with `word`. */
export async function startSentinel(
  t: Test,
  primary: RedisServer,
  { password, sentinelPassword, files }: SentinelTerms,
  word = '+monitor',
): Promise<number> {
  const port = await freePort();
  const file = join(primary.folder, 'sentinel.conf');
  const lines = [
    ...(files === undefined ? [`port ${port}`] : tlsLines(port, files)),
    'bind 127.0.0.1',
    `requirepass ${sentinelPassword}`,
    `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
    `sentinel auth-pass main ${password}`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await started([file, '--sentinel'], word);
  t.teardown(() => killed(sentinel));
  return port;
}

/** For a sentinel that speaks TLS only, with the servers too. */
function tlsLines(port: number, { cert, key, ca }: RedisCertificate): string[] {
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file ${cert}`,
    `tls-key-file ${key}`,
    `tls-ca-cert-file ${ca}`,
    'tls-auth-clients no',
    'tls-replication yes',
  ];
}

/** Three servers that have the slots of a cluster between them, without replicas; with `files` they speak TLS only. */
export async function startCluster(t: Test, files?: RedisCertificate): Promise<readonly RedisServer[]> {
  const servers: RedisServer[] = [];
  for (let i = 0; i < 3; i++) {
    const terms = ['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`];
    servers.push(
      files === undefined
        ? await RedisServer.start(t, ...terms)
        : await RedisServer.startTls(t, files, ...terms, '--tls-cluster', 'yes'),
    );
  }
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  const tls = files === undefined ? [] : ['--tls', '--insecure'];
  const made = spawnSync('redis-cli', [...tls, '--cluster', 'create', ...addresses, '--cluster-yes'], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`no cluster was made:\n${made.stdout}${made.stderr}`);
  await until('the cluster is there', () =>
    servers.every((server) => server.command('CLUSTER', 'INFO').includes('cluster_state:ok')),
  );
  return servers;
}
