import { addressKey } from '../base/address.js';
import { loadConfig } from '../config/config.js';
import type { Problem } from '../config/problems.js';
import { defaultsOf } from '../config/schema.js';
import type { ServerTlsSettings } from '../config/settings.js';
import type { ServerConfig, ServerTlsConfig } from '../config/types.js';
import { type NewServer, OperationError } from './status/operations.js';

const { minVersion: USUAL_VERSION } = defaultsOf<Pick<ServerTlsConfig, 'minVersion'>>('serverTls');

/** Reads settings as those of the file are read. Throws an OperationError with the first problem in them. */
export function readServer({ weight, ...settings }: NewServer): ServerConfig {
  if (typeof settings.tls === 'object' && settings.tls?.passphrase !== undefined)
    throw new OperationError(
      'bad_value',
      'tls.passphrase: it can be given in the file only, as changes are kept',
    );
  const result = loadConfig('', { overrides: { servers: [settings] } });
  if (result.ok) return result.config.servers[0] as ServerConfig;
  const { path, message, hint } = result.problems[0] as Problem;
  const key = path.replace(/^servers\[0\]\.?/, '');
  const problem = key === '' ? message : `${key}: ${message}`;
  throw new OperationError('bad_value', hint === '' ? problem : `${problem}. ${hint}`);
}

/** Settings that `readServer` makes the same server of; its weight is kept apart. */
export function writeServer({ name, address, backup, maxConnections, tls }: ServerConfig): NewServer {
  const { text } = address;
  return {
    address: text,
    ...(name === text ? {} : { name }),
    backup,
    max_connections: maxConnections,
    ...(tls === null ? {} : { tls: writeTls(tls) }),
  };
}

/** Without the passphrase, which is not kept. */
function writeTls({ serverName, verify, ca, cert, key, minVersion }: ServerTlsConfig): ServerTlsSettings {
  return {
    ...(serverName === null ? {} : { server_name: serverName }),
    ...(verify ? {} : { verify }),
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    min_version: minVersion,
  };
}

/** Is TLS all that was asked for, and not how? */
function isUnspecified({ serverName, verify, ca, cert, minVersion }: ServerTlsConfig): boolean {
  return serverName === null && verify && ca === null && cert === null && minVersion === USUAL_VERSION;
}

/**
 * A server that was added to others, as it is used: where only TLS was asked for, with what those of the others that have TLS
 * have in common, if they all have the same.
 */
export function amongOthers(server: ServerConfig, others: readonly ServerConfig[]): ServerConfig {
  const { tls } = server;
  if (tls === null || !isUnspecified(tls)) return server;
  let common: ServerTlsConfig | null = null;
  for (const other of others) {
    if (other.tls === null) continue;
    if (common !== null && common.digest !== other.tls.digest) return server;
    common = other.tls;
  }
  return common === null ? server : { ...server, tls: common };
}

/** The same name at the same address. */
export function isSame(one: ServerConfig, other: ServerConfig): boolean {
  return one.name === other.name && addressKey(one.address) === addressKey(other.address);
}
