import { addressKey } from '../base/address.js';
import { defaultsOf } from '../config/schema.js';
import type { ServerConfig, ServerTlsConfig } from '../config/types.js';

/** What a server has whose settings ask for TLS and for no version. */
export const { minVersion: USUAL_VERSION } = defaultsOf<Pick<ServerTlsConfig, 'minVersion'>>('serverTls');
export const MAX_WEIGHT = 256;

/** Is it a whole number from 0 to 256? */
export function isWeight(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WEIGHT;
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
