import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { SharedConfig } from '../config/types.js';

/** How certificates of Redis are verified. */
export interface TlsOptions {
  readonly ca?: string;
  readonly checkServerIdentity?: typeof checkServerIdentity;
}

/**
 * The certificate of a single server has to have its name. Sentinels and nodes of a cluster report further servers,
 * mostly by address: their certificates may have that address, or a name of the settings. Undefined without TLS.
 */
export function tlsOptions({ redis, kind, pem }: SharedConfig): TlsOptions | undefined {
  const urls = redis.map((url) => new URL(url));
  if (urls.every(({ protocol }) => protocol !== 'rediss:')) return undefined;
  const names = urls.map(hostOf);
  const ca = pem === null ? {} : { ca: pem };
  if (kind === 'single') return ca;
  return {
    ...ca,
    checkServerIdentity: (host: string, certificate: PeerCertificate) => {
      const isNamed = (name: string): boolean => checkServerIdentity(name, certificate) === undefined;
      return names.some(isNamed) ? undefined : checkServerIdentity(host, certificate);
    },
  };
}

/** The host of a URL; an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}
