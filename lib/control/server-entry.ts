import { addressKey } from '../base/address.js';
import { loadConfig } from '../config/config.js';
import type { Problem } from '../config/problems.js';
import { defaultsOf } from '../config/schema.js';
import type { ServerTlsSettings } from '../config/settings.js';
import type { ServerConfig, ServerTlsConfig } from '../config/types.js';
import { type NewServer, OperationError } from './status/operations.js';

const { minVersion: USUAL_VERSION } = defaultsOf<Pick<ServerTlsConfig, 'minVersion'>>('serverTls');

/** Compiles the settings of a server like those of the file. Throws an OperationError with the first problem in them. */
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

/** The settings from which `readServer` makes the same server; the weight is stored separately. */
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

/** Without the passphrase, which is not stored. */
function writeTls({ serverName, verify, ca, cert, key, minVersion }: ServerTlsConfig): ServerTlsSettings {
  return {
    ...(serverName === null ? {} : { server_name: serverName }),
    ...(verify ? {} : { verify }),
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(minVersion === USUAL_VERSION ? {} : { min_version: minVersion }),
  };
}

/** Was only TLS requested, without further settings? */
function isUnspecified({ serverName, verify, ca, cert, minVersion }: ServerTlsConfig): boolean {
  return serverName === null && verify && ca === null && cert === null && minVersion === USUAL_VERSION;
}

/**
 * The settings in use for a server that is added to others. If only TLS was requested, it gets the TLS settings of the
 * other servers with TLS, provided that they are all the same.
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

/** Do both have the same name and address? */
export function isSame(one: ServerConfig, other: ServerConfig): boolean {
  return one.name === other.name && addressKey(one.address) === addressKey(other.address);
}
