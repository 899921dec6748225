import { addressKey } from '../base/address.js';
import { loadConfig } from '../config/config.js';
import type { Problem } from '../config/problems.js';
import type { ServerConfig } from '../config/types.js';
import { type NewServer, OperationError } from './status/operations.js';

/** Reads settings as those of the file are read. Throws an OperationError with the first problem in them. */
export function readServer({ weight, ...settings }: NewServer): ServerConfig {
  const result = loadConfig('', { overrides: { servers: [settings] } });
  if (result.ok) return result.config.servers[0] as ServerConfig;
  const { path, message, hint } = result.problems[0] as Problem;
  const key = path.replace(/^servers\[0\]\.?/, '');
  const problem = key === '' ? message : `${key}: ${message}`;
  throw new OperationError('bad_value', hint === '' ? problem : `${problem}. ${hint}`);
}

/** Settings that `readServer` makes the same server of; its weight is kept apart. */
export function writeServer({ name, address: { text }, backup, maxConnections }: ServerConfig): NewServer {
  return { address: text, ...(name === text ? {} : { name }), backup, max_connections: maxConnections };
}

/** The same name at the same address. */
export function isSame(one: ServerConfig, other: ServerConfig): boolean {
  return one.name === other.name && addressKey(one.address) === addressKey(other.address);
}
