import { loadConfig } from '../config/config.js';
import type { Problem } from '../config/problems.js';
import type { ServerTlsSettings } from '../config/settings.js';
import type { ServerConfig, ServerTlsConfig } from '../config/types.js';
import { USUAL_VERSION } from './server-entry.js';
import { type NewServer, OperationError } from './status/operations.js';

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
